"""Load trained adapters with PEFT and print PyTorch's held-out loss beside mlora's.

    pip install 'transformers==4.38.*' 'peft==0.10.*' safetensors 'numpy<2' torch
    python check_with_peft.py model RUN

RUN is the --out folder of the training. Held-out loss: nats per token of completion and end token, over all rows.
"""

import argparse
import csv
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

HELDOUT = Path(__file__).parent / "heldout"
JOBS = ("sums", "dates", "opposites", "extract")
# The prompt of smollm2.yaml.
PROMPT = "<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n"


def read_rows(job):
    return [json.loads(line) for line in (HELDOUT / f"{job}.jsonl").read_text().splitlines()]


@torch.no_grad()
def heldout_loss(model, tokenizer, rows):
    loss_sum, count = 0.0, 0
    for row in rows:
        prompt = PROMPT.format(**row)
        start = len(tokenizer(prompt).input_ids)
        tokens = torch.tensor(tokenizer(prompt + row["output"] + tokenizer.eos_token).input_ids)
        logits = model(tokens[None]).logits[0]
        loss_sum += torch.nn.functional.cross_entropy(logits[start - 1 : -1], tokens[start:], reduction="sum").item()
        count += len(tokens) - start
    return loss_sum / count


def read_ours(run):
    """First and last held-out loss of every job."""
    losses = {}
    with (run / "losses.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row["set"] == "heldout":
                losses.setdefault(row["adapter"], []).append(float(row["loss"]))
    return {job: (both[0], both[-1]) for job, both in losses.items()}


def load_base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("run", type=Path)
    arguments = parser.parse_args()
    ours = read_ours(arguments.run)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    print("job,state,mlora,pytorch,relative_difference")
    for job in JOBS:
        rows = read_rows(job)
        base = load_base(arguments.model)
        for state, expected in zip(("before", "after"), ours[job]):
            model = base if state == "before" else PeftModel.from_pretrained(base, arguments.run / "adapters" / job).eval()
            loss = heldout_loss(model, tokenizer, rows)
            print(f"{job},{state},{expected:.7f},{loss:.7f},{abs(loss / expected - 1):.1e}", flush=True)


main()
