/** Added to the norm by `torch.nn.utils.clip_grad_norm_`. */
const EPSILON = 1e-6;

/**
 * Factor by which `torch.nn.utils.clip_grad_norm_` scales a gradient of this norm over all the adapter's tensors: never
 * above 1; not a number where the norm is none, so that the adapter shows it.
 */
export const clipFactor = (maximum: number, norm: number): number => Math.min(1, maximum / (norm + EPSILON));
