import { KIND } from '../op.ts';
import { forEachCell, type RuleInput } from './rule-input.ts';

const SENDS = [
  { send: KIND.sendForward, receive: KIND.receiveForward, isForward: true },
  { send: KIND.sendBackward, receive: KIND.receiveBackward, isForward: false },
] as const;

/** Sends and receives pair up, between neighbouring stages on different devices, after what is sent is computed. */
export const checkTransfers = (input: RuleInput): void => {
  const { plan, index, neighbours, report } = input;
  forEachCell(input, (stage, microbatch, device) => {
    for (const { send, receive, isForward } of SENDS) {
      const to = (isForward ? neighbours.next : neighbours.previous)[stage]!;
      const sent = index.at(send, stage, microbatch);
      const received = index.at(receive, to, microbatch);
      if (sent < 0 && received < 0) continue;
      const peer = plan.stages[to];
      if (sent >= 0) {
        if (peer === undefined || peer.device === device) report('pairing', device, sent, 'has no stage on another device to send to');
        else if (received < 0) report('pairing', device, sent, `nobody receives it on ${plan.devices[peer.device]}`);
        const produced = isForward ? index.at(KIND.forward, stage, microbatch) : index.backwardAt(stage, microbatch);
        if (produced > sent) report('order', device, sent, 'sends what is computed later');
      } else if (peer !== undefined) report('pairing', peer.device, received, `nobody sends it on ${plan.devices[device]}`);
    }
  });
};
