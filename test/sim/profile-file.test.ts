import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { GPU_PROFILE, GPU_PROFILES, WASM_PROFILE } from '../../sim/profiles/gpu-profiles.ts';
import { formatProfile, readProfile } from '../../sim/profile-file.ts';
import { KNOWN_PROFILE } from './known-profile.ts';

describe('a profile file', () => {
  it.each([GPU_PROFILE, WASM_PROFILE, KNOWN_PROFILE, GPU_PROFILES.get('H100')!])('gives back the profile it was written from: $name', (profile) => {
    expect(readProfile(formatProfile(profile))).toEqual(E.right(profile));
  });

  it('is refused with everything that is wrong with it, each with its path', () => {
    const broken = JSON.parse(formatProfile(KNOWN_PROFILE)) as { nsPer: Record<string, unknown>; contextBytes: { origin: string }; extra: number };
    broken.nsPer.byte = { value: -1, origin: 'fitted', source: 'x' };
    delete broken.nsPer.randomNumber;
    broken.contextBytes.origin = 'rumour';
    broken.extra = 1;
    const result = readProfile(JSON.stringify(broken));
    const paths = E.isLeft(result) ? result.left.map(({ path }) => path) : [];
    expect([...paths].sort()).toEqual(['contextBytes.origin', 'extra', 'nsPer.byte.value', 'nsPer.randomNumber']);
  });

  it.each([
    ['gemmEfficiency', 'fp32', '0'],
    ['gemmEfficiency', 'fp32', '1.5'],
    ['gemmEfficiency', 'fp32', '1e999'],
    ['gemmEfficiency', 'fp32', '"fast"'],
    ['launch', 'perKernelNs', '-7'],
    ['launch', 'perKernelNs', '1e999'],
    ['launch', 'perKernelNs', 'null'],
  ])('is refused where %s.%s is %s', (group, key, value) => {
    const profile = JSON.parse(formatProfile(GPU_PROFILE)) as Record<string, Record<string, { value: unknown }>>;
    profile[group]![key]!.value = '#';
    const result = readProfile(JSON.stringify(profile).replace('"#"', value));
    expect(E.isLeft(result) && result.left.map(({ path }) => path)).toEqual([`${group}.${key}.value`]);
  });

  it('is refused with every fault of its tables', () => {
    const broken = JSON.parse(formatProfile(GPU_PROFILES.get('A40')!)) as {
      gemmTable: { tokens: number[]; products: number[][] };
      elementwiseTable: { bytes: number[]; shares: Record<string, number[]> };
    };
    broken.gemmTable.products[0]!.pop();
    broken.gemmTable.products[3] = broken.gemmTable.products[3]!.map(() => 1);
    broken.elementwiseTable.shares.norm = [0, 1];
    broken.elementwiseTable.bytes.reverse();
    const result = readProfile(JSON.stringify(broken));
    expect(E.isLeft(result) && result.left.map(({ path, message }) => `${path}: ${message.replace(/is \[.*?; /, '')}`)).toEqual([
      'gemmTable.products[0]: expected 15 numbers, not 14',
      'elementwiseTable.bytes: expected a list of numbers above 0, each larger than the one before',
      'elementwiseTable.shares.norm: expected a list of numbers above 0',
    ]);
  });

  it('of no known kind is told which kinds there are', () => {
    const result = readProfile('{"kind": "magic"}');
    expect(E.isLeft(result) && result.left.find(({ path }) => path === 'kind')?.message).toContain('calibrated, roofline');
  });

  it('that is no JSON is a problem of the whole file', () => {
    const result = readProfile('{');
    expect(E.isLeft(result) && result.left[0].path).toBe('');
  });
});
