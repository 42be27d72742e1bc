"""A few steps of the recipe on a random tiny Whisper."""

import torch
from safetensors.torch import load_file
from transformers import WhisperConfig, WhisperForConditionalGeneration

from trit_train import hf_recipe


def tiny():
    """A random model and what it is given."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = WhisperForConditionalGeneration(WhisperConfig(
        d_model=64, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=128, decoder_ffn_dim=128, num_mel_bins=16,
        max_source_positions=20, max_target_positions=16, vocab_size=50, pad_token_id=0,
        bos_token_id=0, eos_token_id=0, decoder_start_token_id=1, init_std=0.2)).eval()
    batch = {"input_features": torch.randn(4, 16, 40), "labels": torch.randint(2, 50, (4, 8))}
    return model, batch


def test_a_teacher_of_half_precision():
    teacher, batch = tiny()
    teacher.to(torch.bfloat16)
    student = hf_recipe.ternarise(teacher, 32, hf_recipe.calibrate(teacher, [batch]))
    hf_recipe.loss(student, teacher, batch).backward()
    for bit in hf_recipe.layers(student, hf_recipe.BitLinear).values():
        assert bit.weight.grad.dtype == torch.float32 and bit.weight.grad.isfinite().all()


def test_a_scale_below_zero_is_no_other_weight():
    layer = hf_recipe.BitLinear(torch.nn.Linear(64, 3), 32)
    before = layer.effective_weight().detach()
    with torch.no_grad():
        layer.scale.neg_()
    weight = layer.effective_weight()
    assert torch.equal(weight, before)
    (weight * 3).sum().backward()
    assert layer.weight.grad.eq(3).all()


def test_a_few_steps_and_the_saved_weights(tmp_path):
    teacher, batch = tiny()
    moments = hf_recipe.calibrate(teacher, [batch])
    student = hf_recipe.ternarise(teacher, 32, moments)
    bits = hf_recipe.layers(student, hf_recipe.BitLinear)
    assert len(bits) == 6 + 10 == len(moments)

    optimiser = torch.optim.AdamW(hf_recipe.parameter_groups(student, 2e-3))
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        value = hf_recipe.loss(student, teacher, batch)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.8 * losses[0], losses

    hf_recipe.save(student, tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    for name, bit in bits.items():
        weight = saved[f"{name}.weight"]
        assert torch.equal(weight, bit.effective_weight().detach())
        for row in weight.view(-1, 32)[:50]:
            assert len(set(row.abs().tolist()) - {0.0}) <= 1
