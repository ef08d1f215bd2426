"""Loads schedule files with PyTorch's own loader and runs them through its schedule simulation.

usage: python load-schedules.py schedule.csv ...

The files are what `mlora plan --format pytorch-csv` prints. The loader is a method of a schedule object that needs
stages with models; here it is called on an object that has only what it reads. Tried with PyTorch 2.15.
"""

import csv
import re
import sys
from types import SimpleNamespace

import torch
from torch.distributed.pipelining import schedules

SIMULATED = re.compile(r"\d+(?:F|B|I|W|(?:SEND|RECV)_[FB])\d+")


def empty_schedule(rows: list[list[str]]) -> object:
    home = {}
    microbatches = 0
    for rank, row in enumerate(rows):
        for action in map(schedules._Action.from_str, row):
            home[action.stage_index] = rank
            microbatches = max(microbatches, action.microbatch_index + 1)
    schedule = object.__new__(schedules._PipelineScheduleRuntime)
    for name, value in {
        "pp_group_size": len(rows),
        "_num_stages": len(home),
        "_n_microbatches": microbatches,
        "pipeline_order": {},
        "pipeline_order_with_comms": {},
        "stage_index_to_group_rank": home,
        "_stages": [SimpleNamespace(stage_index=stage) for stage in home],
        "_unshard_lookahead": "full",
        "_max_active_stages": 3,
        "_defer_reduce_grad_wait": False,
        "_defer_pp_recv": False,
        "_max_outstanding_sends": None,
    }.items():
        setattr(schedule, name, value)
    return schedule


def check(path: str) -> str:
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    schedule = empty_schedule(rows)
    schedule._load_csv(path, format="compute_only")
    same = [[str(action) for action in actions] for actions in schedule.pipeline_order.values()] == rows
    lowered = {
        rank: [action for action in actions if SIMULATED.fullmatch(str(action))]
        for rank, actions in schedule.pipeline_order_with_comms.items()
    }
    home = schedule.stage_index_to_group_rank
    schedules._simulate_comms_compute(lowered, stage_to_rank=lambda stage: home[stage], num_stages=len(home))
    count = sum(map(len, lowered.values()))
    return f"{path}: {'read back as written' if same else 'READ DIFFERENTLY'}, {count} actions, runs to the end"


if __name__ == "__main__":
    print(f"PyTorch {torch.__version__}")
    for path in sys.argv[1:]:
        print(check(path))
