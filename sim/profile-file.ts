import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { messageOf } from '../core/error-message.ts';
import { nonEmptyText, nonNegativeNumber } from '../core/leaves.ts';
import { problem, type Problems } from '../core/problem.ts';
import { chosen, closed, isRecord, leaf, oneOf, readStructure } from '../core/structure.ts';
import type { CalibratedProfile, DeviceProfile, Figure, RooflineProfile } from './device-profile.ts';
import { ELEMENTWISE_TABLE, GEMM_TABLE } from './table-file.ts';
import type { WorkFeature } from './work-features.ts';

const figureOf = (value: z.ZodType<number>): z.ZodType<Figure> =>
  closed({ value, origin: oneOf(['measured', 'fitted', 'guess'] as const), source: nonEmptyText });

const figure = figureOf(nonNegativeNumber);

const share = figureOf(
  leaf('expected a number above 0, at most 1', (value) => typeof value === 'number' && value > 0 && value <= 1),
);

const sharePerPrecision = closed({ fp32: share, tf32: share, bf16: share, fp16: share });

const CALIBRATED: z.ZodType<CalibratedProfile> = closed({
  // A file of neither kind is read as this one.
  kind: leaf<'calibrated'>('expected one of calibrated, roofline', (value) => value === 'calibrated'),
  name: nonEmptyText,
  nsPer: closed({
    productFlop: figure,
    attentionByte: figure,
    byte: figure,
    kernel: figure,
    randomNumber: figure,
  } satisfies Record<WorkFeature, z.ZodType<Figure>>),
  perPassNs: figure,
  contextBytes: figure,
  link: z.nullable(closed({ latencyNs: figure, nsPerByte: figure })),
});

const ROOFLINE: z.ZodType<RooflineProfile> = closed({
  kind: oneOf(['roofline'] as const),
  name: nonEmptyText,
  elementwise: oneOf(['eager', 'fused', 'tfjs'] as const),
  gemmEfficiency: sharePerPrecision,
  int8Efficiency: share,
  adapterEfficiency: share,
  attentionEfficiency: sharePerPrecision,
  flashEfficiency: sharePerPrecision,
  memoryEfficiency: share,
  minimumKernelNs: figure,
  kernelGapNs: figure,
  launch: closed({ kind: oneOf(['asynchronous', 'synchronous'] as const), perKernelNs: figure }),
  perPassNs: figure,
  contextBytes: figure,
  gemmTable: z.exactOptional(GEMM_TABLE),
  elementwiseTable: z.exactOptional(ELEMENTWISE_TABLE),
});

const PROFILE = chosen<DeviceProfile>((value) => (isRecord(value) && value.kind === 'roofline' ? ROOFLINE : CALIBRATED));

/** A profile as the text of a file, every figure with where it comes from. */
export const formatProfile = (profile: DeviceProfile): string => `${JSON.stringify(profile, null, 2)}\n`;

/** Reads what `formatProfile` wrote. Left: everything that is wrong with it. */
export const readProfile = (text: string): E.Either<Problems, DeviceProfile> =>
  pipe(
    E.tryCatch(
      () => JSON.parse(text) as unknown,
      (error): Problems => [problem('', `is no JSON: ${messageOf(error)}`)],
    ),
    E.chain((json) => readStructure(PROFILE, json)),
  );
