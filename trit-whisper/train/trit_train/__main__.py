"""`python -m trit_train STAGE --data DIR --work DIR`: trains, evaluates and exports, stage by stage."""

import argparse
from pathlib import Path

import numpy as np
import torch

from . import data, evaluate, export, spotter, train
from .model import Config
from .tokens import COMMANDS, DIGITS, OTHERS, VOCAB


def say(text: str) -> None:
    """Prints at once, also into a file."""
    print(text, flush=True)


ROWS = {
    "float": ("twin.pt", "float"),
    "8-bit PTQ": ("twin.pt", "int8"),
    "4-bit PTQ": ("twin.pt", "int4"),
    "ternary PTQ": ("twin.pt", "ptq-ternary"),
    "ternary QAT": ("ternary.pt", "ternary"),
}
"""Checkpoint and mode of each row of the table."""


def load(work: Path, name: str, mode: str) -> train.Whisper:
    """A checkpoint in a mode; where there is no twin yet, the float model it starts from."""
    path = work / name
    if name == "twin.pt" and not path.exists():
        path = work / "float.pt"
    model = train.restore(path)
    model.set_mode(mode, trained=name == "ternary.pt")
    return model


def table(arguments: argparse.Namespace, bank: data.Bank) -> None:
    """Evaluates the rows asked for, keeps their errors, and prints the table of all there are."""
    sets = evaluate.test_sets(bank, data.split(bank.clips)["test"], arguments.words)
    kept = {}
    for row, (name, mode) in ROWS.items():
        path = arguments.work / f"errors-{row.replace(' ', '-')}-{arguments.words}.npz"
        if row in arguments.rows:
            model = load(arguments.work, name, mode)
            rows = {}
            for test in sets:
                rows[test.name] = evaluate.errors(model, test)
                say(f"{row}: {test.name} {evaluate.rate(rows[test.name]):.2f} %")
            np.savez(path, **rows)
        if path.exists():
            kept[row] = dict(np.load(path))
    counts = [f"{test.name} ({sum(len(u.words) or 1 for u in test.utterances)})" for test in sets]
    say("| model | " + " | ".join(counts) + " |\n|---|" + "---|" * len(sets))
    for row, rows in kept.items():
        say(f"| {row} | " + " | ".join(f"{evaluate.rate(rows[t.name]):.2f}" for t in sets) + " |")
    if "float" in kept and "ternary QAT" in kept:
        spoken = [test.name for test in sets if test.name != "noise"]
        mine, theirs = (np.concatenate([kept[row][name] for name in spoken])
                        for row in ("ternary QAT", "float"))
        difference, low, high = evaluate.gap(mine, theirs)
        say(f"ternary QAT - float: {difference:+.2f} points [{low:+.2f}, {high:+.2f}], "
            f"{mine[:, 1].sum()} words of {len(np.unique(mine[:, 2]))} speakers, "
            "paired bootstrap over speakers")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trit_train", description=__doc__)
    parser.add_argument("stage", choices=["float", "spotter", "ternary", "twin", "evaluate", "export"])
    parser.add_argument("--data", type=Path, required=True, help="folder with spoken-words/")
    parser.add_argument("--work", type=Path, default=Path("work"), help="checkpoints and cache")
    parser.add_argument("--steps", type=int, help="training steps (float 9000, spotter 8000, ternary 4000)")
    parser.add_argument("--rate", type=float, help="learning rate at first (float 1e-3, ternary and twin 5e-4)")
    parser.add_argument("--start", type=Path, help="checkpoint of the same stage to go on from")
    parser.add_argument("--teacher", type=Path, help="float checkpoint that teaches (stage ternary)")
    parser.add_argument("--spotter", type=Path,
                        help="the spotter that teaches words (ternary and twin), WORK/spotter.pt if there is one")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for PyTorch's choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", type=int, default=4000, help="command words to evaluate on")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS),
                        help="rows of the table to evaluate")
    parser.add_argument("--out", type=Path, default=Path("words.trit"), help="file to export to")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    bank = data.load(arguments.data, arguments.work / "bank.npz")
    if arguments.stage == "evaluate":
        table(arguments, bank)
        return
    if arguments.stage == "export":
        model = load(arguments.work, *ROWS["ternary QAT"])
        say(f"{arguments.out}: {export.export(model, arguments.out)} bytes")
        return
    clips = data.split(bank.clips)["train"]
    start = arguments.work / "float.pt"
    if arguments.stage == "float":
        torch.manual_seed(arguments.seed)
        plan = train.Plan(steps=arguments.steps or 9000, rate=arguments.rate or 1e-3)
        if arguments.start:
            plan.curriculum = False
            model = train.restore(arguments.start)
        else:
            model = train.new_model(Config(n_vocab=VOCAB))
        train.fit(model, bank, clips, plan, start, arguments.seed, report=say)
        return
    if arguments.stage == "spotter":
        first = spotter.restore(arguments.start) if arguments.start else None
        model = spotter.fit(bank, clips, arguments.steps or 8000, arguments.work / "spotter.pt",
                            arguments.seed + 2, first, report=say)
        for name, vocabulary in {"commands": COMMANDS, "digits": DIGITS, "other words": OTHERS}.items():
            unseen = [c for c in data.split(bank.clips)["test"]
                      if c.word in vocabulary and c.source == "speech-commands"]
            say(f"{name}: {spotter.wrong(model, bank, unseen):.2f} % of {len(unseen)}")
        return
    # Both second stages start from the same weights and see the same utterances in the same order;
    # the ternary one also learns from a float model, by default the one it started as, or a spotter.
    plan = train.Plan(steps=arguments.steps or 4000, rate=arguments.rate or 5e-4, curriculum=False,
                      distil=0.5)
    model, teacher = train.restore(arguments.start or start), None
    spotted = arguments.spotter or arguments.work / "spotter.pt"
    words = spotter.restore(spotted) if arguments.spotter or spotted.exists() else None
    if arguments.stage == "ternary":
        model.set_mode("ternary", trained=arguments.start is not None)
        if arguments.teacher or words is None:
            teacher = train.restore(arguments.teacher or start)
    train.fit(model, bank, clips, plan, arguments.work / f"{arguments.stage}.pt",
              arguments.seed + 1, teacher, words, report=say)


if __name__ == "__main__":
    main()
