import { type Tensor2D, add, mul, sigmoid, sub } from '@tensorflow/tfjs-core';
import { scoped } from '../backend/scope.ts';

/** What the backward needs, each `[tokens, intermediate]`; `sigmoid` is of the gate. */
export interface SwigluSaved {
  readonly gate: Tensor2D;
  readonly up: Tensor2D;
  readonly sigmoid: Tensor2D;
}

/** silu(gate)∘up with silu(x) = x·σ(x) (Shazeer 2020). */
export const forwardSwiglu = (gate: Tensor2D, up: Tensor2D): { output: Tensor2D; saved: SwigluSaved } =>
  scoped(() => {
    const saved = { gate, up, sigmoid: sigmoid(gate) };
    return { output: recomputeSwiglu(saved), saved };
  });

/** The output again from what was saved. */
export const recomputeSwiglu = (saved: SwigluSaved): Tensor2D => mul(mul(saved.gate, saved.sigmoid), saved.up);

/** silu′ = σ + silu·(1 − σ). */
export const backwardSwiglu = (saved: SwigluSaved, gradient: Tensor2D): { gate: Tensor2D; up: Tensor2D } =>
  scoped(() => {
    const silu = mul(saved.gate, saved.sigmoid);
    const slope = add(saved.sigmoid, mul(silu, sub(1, saved.sigmoid)));
    return { gate: mul<Tensor2D>(mul(gradient, saved.up), slope), up: mul<Tensor2D>(gradient, silu) };
  });
