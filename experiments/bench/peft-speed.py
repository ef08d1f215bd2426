"""Median seconds of forward and backward of a PEFT LoRA model for the cases given as JSON, on the device of the first
argument: cpu (one thread), cuda, or cuda-tf32.

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
DEVICE = sys.argv[1] if len(sys.argv) > 1 else "cpu"
torch.backends.cuda.matmul.allow_tf32 = DEVICE == "cuda-tf32"
TORCH_DEVICE = DEVICE.split("-")[0]


def finish():
    if TORCH_DEVICE == "cuda":
        torch.cuda.synchronize()


def median_seconds(case):
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**case["config"]))
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=targets)).to(TORCH_DEVICE)
    rows = torch.arange(case["tokens"]).mul(37).remainder(case["config"]["vocab_size"]).repeat(case["rows"], 1).to(TORCH_DEVICE)
    times = []
    for _ in range(case["rounds"] + 1):
        start = time.perf_counter()
        model(input_ids=rows, labels=rows).loss.backward()
        finish()
        times.append(time.perf_counter() - start)
        model.zero_grad()
    # The first round allocates.
    return statistics.median(times[1:])


json.dump([median_seconds(case) for case in json.load(sys.stdin)], sys.stdout)
