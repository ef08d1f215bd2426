import type { CalibratedProfile, Figure } from '../../sim/device-profile.ts';

const known = (value: number): Figure => ({ value, origin: 'fitted', source: 'chosen for a test' });

/** A calibrated profile whose constants a test can look for. */
export const KNOWN_PROFILE: CalibratedProfile = {
  kind: 'calibrated',
  name: 'known',
  nsPer: {
    productFlop: known(0.05),
    attentionByte: known(0.3),
    byte: known(0.2),
    kernel: known(9000),
    randomNumber: known(7),
  },
  perPassNs: known(0),
  contextBytes: known(0),
  link: { latencyNs: known(400_000), nsPerByte: known(0.5) },
};
