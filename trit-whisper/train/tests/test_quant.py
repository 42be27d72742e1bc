"""Fake quantisation gives what the runtime computes, and gradients as if it were not there."""

import torch

from trit_train.quant import QuantLinear, quantise_rows


def test_rows_are_rounded_half_to_even():
    x = torch.tensor([[127.0, 0.5, 1.5, -2.5, -126.6], [0.0] * 5])
    assert quantise_rows(x).tolist() == [[127.0, 0.0, 2.0, -2.0, -127.0], [0.0] * 5]


def test_four_bits_have_seven_steps_each_side():
    x = torch.linspace(-1, 1, 101)[None]
    assert len(quantise_rows(x, 7).unique()) == 15


def test_gradients_pass_straight_through():
    x = torch.randn(4, 8, dtype=torch.bfloat16, requires_grad=True)
    y = quantise_rows(x)
    assert y.dtype == x.dtype
    (y * 3).sum().backward()
    assert x.grad.eq(3).all()


def test_a_ternary_layer_has_three_weights_a_row():
    layer = QuantLinear(32, 4)
    layer.start_ternary()
    for row in layer.effective_weight():
        assert len(row.round(decimals=5).unique()) <= 3
    layer(torch.randn(2, 32)).sum().backward()
    assert layer.weight.grad is not None and layer.scale.grad is not None


def test_gradients_of_a_ternary_layer_do_not_depend_on_its_scales():
    layer = QuantLinear(32, 4)
    layer.start_ternary()
    before = layer.effective_weight().detach()
    with torch.no_grad():
        layer.scale[1] = 0.0
        layer.scale[2] *= -1
    weight = layer.effective_weight()
    assert torch.equal(weight[2], before[2]) and weight[1].eq(0).all()
    (weight * 3).sum().backward()
    assert layer.weight.grad.eq(3).all()
