"""A convolutional teacher and the training it takes part in, for a few steps on noise."""

import numpy as np
import torch

from trit_train import spotter, train
from trit_train.data import Bank, assemble
from trit_train.model import Config
from trit_train.tokens import VOCAB, WORDS
from trit_train.utterances import MARGIN, Utterance


def bank() -> Bank:
    """Three words of noise by two speakers, and noise that is no word."""
    rng = np.random.default_rng(0)
    clips = [(word, speaker, "speech-commands", rng.standard_normal(8000 * (n + 1)).astype(np.float32) * 0.1)
             for n, word in enumerate(["yes", "no", "_silence_"]) for speaker in ("a", "b")]
    return assemble(clips)


def test_a_crop_holds_its_word_alone():
    samples = np.arange(1, 40_001, dtype=np.float32)
    said = Utterance(samples, ["yes", "no"], [(2000, 8000), (9600, 39_000)])
    first = spotter.crop(said, 0)
    assert len(first) == spotter.LENGTH
    kept = first[first > 0]
    assert (kept[0], kept[-1]) == (2000 - MARGIN + 1, 8000 + MARGIN)
    # A word that is too long loses both ends alike.
    second = spotter.crop(said, 1)
    assert len(second) == spotter.LENGTH
    middle = (9600 - MARGIN + 39_000 + MARGIN) / 2
    assert abs(second.mean() - 0.5 - middle) <= 1


def test_targets_of_the_words(tmp_path):
    clips = bank().clips
    plan = train.Plan(steps=4, rate=1e-3, batch=4, curriculum=False)
    progress = type("Progress", (), {"value": 1.0})
    batch = next(iter(train.Batches(bank(), clips, plan, progress, seed=0)))
    row, column = batch["places"].unbind(1)
    words = batch["targets"][row, column]
    assert len(words) > 0 and (words < len(WORDS)).all()
    for place, word in enumerate(words):
        labels = batch["labels"][row[place]][batch["owners"][row[place]] == place + 1]
        assert len(labels) > 0 and (labels == word).all()
    assert len(batch["crops"]) >= len(words) and not batch["crops"][len(words):].any()


def test_a_few_steps_of_teacher_and_student(tmp_path):
    torch.set_num_threads(1)
    clips, path = bank().clips, tmp_path / "spotter.pt"
    spotter.fit(bank(), clips, 2, path, seed=0, batch=4, report=lambda _: None)
    teacher = spotter.restore(path)
    assert 0.0 <= spotter.wrong(teacher, bank(), clips[:4]) <= 100.0
    config = Config(n_audio_layer=1, n_text_layer=1, n_state=16, n_head=2, n_vocab=VOCAB)
    model = train.new_model(config)
    before = model.encoder.conv1.weight.detach().clone()
    plan = train.Plan(steps=2, rate=1e-3, batch=2, curriculum=False)
    train.fit(model, bank(), clips, plan, tmp_path / "student.pt", 0, None, teacher, report=lambda _: None)
    assert not torch.equal(model.encoder.conv1.weight, before)
    assert train.restore(tmp_path / "student.pt").config == config
