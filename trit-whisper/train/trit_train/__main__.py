"""`python -m trit_train STAGE --data DIR --work DIR`: float, ternary, twin, evaluate, export."""

import argparse
from pathlib import Path

import torch

from . import data, train
from .model import Config
from .tokens import VOCAB


def say(text: str) -> None:
    """Prints at once, also into a file."""
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trit_train", description=__doc__)
    parser.add_argument("stage", choices=["float", "ternary", "twin"])
    parser.add_argument("--data", type=Path, required=True, help="folder with spoken-words/")
    parser.add_argument("--work", type=Path, default=Path("work"), help="checkpoints and cache")
    parser.add_argument("--steps", type=int, help="training steps (float 9000, ternary 4000)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for PyTorch's choice")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    bank = data.load(arguments.data, arguments.work / "bank.npz")
    clips = data.split(bank.clips)["train"]
    start = arguments.work / "float.pt"
    if arguments.stage == "float":
        plan = train.Plan(steps=arguments.steps or 9000, rate=1e-3)
        torch.manual_seed(arguments.seed)
        model = train.new_model(Config(n_vocab=VOCAB))
        train.fit(model, bank, clips, plan, start, arguments.seed, report=say)
        return
    # Both second stages start from the same weights and see the same utterances in the same order;
    # the ternary one also learns from the float model it started as.
    plan = train.Plan(steps=arguments.steps or 4000, rate=5e-4, curriculum=False, distil=0.5)
    model, teacher = train.restore(start), None
    if arguments.stage == "ternary":
        model.set_mode("ternary")
        teacher = train.restore(start)
    train.fit(model, bank, clips, plan, arguments.work / f"{arguments.stage}.pt",
              arguments.seed + 1, teacher, report=say)


if __name__ == "__main__":
    main()
