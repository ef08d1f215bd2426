import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { GPU_PROFILE, WASM_PROFILE } from '../../sim/device-profile.ts';
import { formatProfile, readProfile } from '../../sim/profile-file.ts';
import { KNOWN_PROFILE } from './known-profile.ts';

describe('a profile file', () => {
  it.each([GPU_PROFILE, WASM_PROFILE, KNOWN_PROFILE])('gives back the profile it was written from: $name', (profile) => {
    expect(readProfile(formatProfile(profile))).toEqual(E.right(profile));
  });

  it('is refused with everything that is wrong with it, each with its path', () => {
    const broken = JSON.parse(formatProfile(KNOWN_PROFILE)) as { nsPer: Record<string, unknown>; contextBytes: { origin: string }; extra: number };
    broken.nsPer.byte = { value: -1, origin: 'fitted', source: 'x' };
    delete broken.nsPer.op;
    broken.contextBytes.origin = 'rumour';
    broken.extra = 1;
    const result = readProfile(JSON.stringify(broken));
    const paths = E.isLeft(result) ? result.left.map(({ path }) => path) : [];
    expect([...paths].sort()).toEqual(['contextBytes.origin', 'extra', 'nsPer.byte.value', 'nsPer.op']);
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
