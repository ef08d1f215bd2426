"""Median seconds of forward and backward of a PEFT LoRA model, one thread, for the cases given as JSON.

Reads a list of {"config": {…config.json…}, "rows": n, "tokens": n, "rounds": n} from standard input and prints a list of
seconds. Used by executor-speed.ts to put PyTorch's figure beside ours.
"""

import json
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)


def median_seconds(case):
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**case["config"]))
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    rows = torch.arange(case["tokens"]).mul(37).remainder(case["config"]["vocab_size"]).repeat(case["rows"], 1)
    times = []
    for _ in range(case["rounds"] + 1):
        start = time.perf_counter()
        model(input_ids=rows, labels=rows).loss.backward()
        times.append(time.perf_counter() - start)
        model.zero_grad()
    # The first round allocates.
    return statistics.median(times[1:])


json.dump([median_seconds(case) for case in json.load(sys.stdin)], sys.stdout)
