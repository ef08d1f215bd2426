"""The peers of `npm run bench -- plans`: one plan's programs in SimPy and in PyTorch's own schedule simulation.

Reads plans as JSON from standard input and writes, for each peer that is installed, how long it took and what came out.
A plan has one program per device; an op is [stream, duration, launch, first launch, posts, needs]: the streams are
compute, send and receive, `posts` is the event that its end sets, `needs` the events that must be set before it starts. A
transfer runs when its send and its receive, which have the same `posts`, are both next on their streams.
"""

import json
import sys
import time

COMPUTE, SEND, RECEIVE = 0, 1, 2


def simulate_in_simpy(simpy, plan):
    environment = simpy.Environment()
    events = [environment.event() for _ in range(plan["events"])]
    posted = {}

    def compute(ops):
        host_end = last_start = 0
        for _, duration, launch, first_launch, posts, needs in ops:
            for need in needs:
                yield events[need]
            launched = 0
            if launch > 0:
                host_start = max(host_end, last_start)
                host_end = host_start + launch
                launched = host_start + first_launch
            if environment.now < launched:
                yield environment.timeout(launched - environment.now)
            last_start = environment.now
            end = max(last_start + duration, host_end)
            if end > last_start:
                yield environment.timeout(end - last_start)
            if posts >= 0:
                events[posts].succeed()

    def send(ops):
        for _, duration, _, _, posts, needs in ops:
            for need in needs:
                yield events[need]
            yield posted.setdefault(posts, environment.event())
            yield environment.timeout(duration)
            events[posts].succeed()

    def receive(ops):
        for _, _, _, _, posts, _ in ops:
            posted.setdefault(posts, environment.event()).succeed()
            yield events[posts]

    for program in plan["programs"]:
        for stream, process in ((COMPUTE, compute), (SEND, send), (RECEIVE, receive)):
            environment.process(process([op for op in program if op[0] == stream]))
    environment.run()
    return environment.now


def run_simpy(plans):
    import simpy

    start = time.perf_counter()
    results = [simulate_in_simpy(simpy, plan) for plan in plans]
    return {"seconds": time.perf_counter() - start, "results": results, "version": simpy.__version__}


def run_torch(plans):
    import torch
    from torch.distributed.pipelining import schedules

    seconds, results = 0.0, []
    for plan in plans:
        # Only the simulation is timed, not the reading of its actions.
        actions = {rank: [schedules._Action.from_str(op) for op in program] for rank, program in enumerate(plan["actions"])}
        devices = plan["stageDevices"]
        start = time.perf_counter()
        schedule = schedules._simulate_comms_compute(actions, lambda stage: devices[stage], len(devices))
        seconds += time.perf_counter() - start
        results.append(len(schedule[0]))
    return {"seconds": seconds, "results": results, "version": torch.__version__}


def attempt(run, plans):
    try:
        return run(plans)
    except ImportError as error:
        return {"missing": str(error)}


plans = json.load(sys.stdin)
json.dump({"simpy": attempt(run_simpy, plans), "torch": attempt(run_torch, plans)}, sys.stdout)
