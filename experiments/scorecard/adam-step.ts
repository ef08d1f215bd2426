/**
 * Bytes that a step of Megatron-LM's mixed-precision Adam moves for a parameter: the norm reads an fp16 gradient (2),
 * which is unscaled into fp32 (2 + 4); Adam reads gradient, weight and two moments (16) and writes the last three (12);
 * the fp16 copy is made (4 + 2), gradients are cleared (2 + 2).
 */
export const ADAM_STEP_BYTES = 46;
