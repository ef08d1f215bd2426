import { type Tensor2D, add, mul, sigmoid, sub } from '@tensorflow/tfjs-core';
import { scoped } from '../backend/scope.ts';

/** What the backward needs, each `[tokens, intermediate]`; `silu` and `sigmoid` are of the gate. */
export interface SwigluSaved {
  readonly silu: Tensor2D;
  readonly up: Tensor2D;
  readonly sigmoid: Tensor2D;
}

/** silu(gate)∘up with silu(x) = x·σ(x) (Shazeer 2020). */
export const forwardSwiglu = (gate: Tensor2D, up: Tensor2D): { output: Tensor2D; saved: SwigluSaved } =>
  scoped(() => {
    const own = sigmoid(gate);
    const saved = { silu: mul<Tensor2D>(gate, own), up, sigmoid: own };
    return { output: recomputeSwiglu(saved), saved };
  });

/** The output again from what was saved. */
export const recomputeSwiglu = (saved: SwigluSaved): Tensor2D => mul(saved.silu, saved.up);

/** silu′ = σ + silu·(1 − σ). */
export const backwardSwiglu = ({ silu, up, sigmoid: own }: SwigluSaved, gradient: Tensor2D): { gate: Tensor2D; up: Tensor2D } =>
  scoped(() => {
    const slope = add(own, sub(silu, mul(silu, own)));
    return { gate: mul<Tensor2D>(mul(gradient, up), slope), up: mul<Tensor2D>(gradient, silu) };
  });
