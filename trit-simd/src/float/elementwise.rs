//! GELU, squared ReLU and the residual sum: the reference loops, compiled per instruction set.

use core::f32::consts::FRAC_1_SQRT_2;

use trit_core::reference::math;

use crate::arch::Isa;

/// As `trit_core::reference::gelu`.
#[inline(always)]
pub(crate) fn gelu<I: Isa>(isa: I, x: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            for x in x {
                *x = (0.5 * *x) * (1.0 + math::erf(*x * FRAC_1_SQRT_2));
            }
        },
    );
}

/// As `trit_core::reference::squared_relu`.
#[inline(always)]
pub(crate) fn squared_relu<I: Isa>(isa: I, x: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            for x in x {
                let positive = if *x > 0.0 { *x } else { 0.0 };
                *x = positive * positive;
            }
        },
    );
}

/// As `trit_core::reference::add`; the lengths are equal.
#[inline(always)]
pub(crate) fn add<I: Isa>(isa: I, x: &mut [f32], y: &[f32]) {
    isa.vectorize(
        #[inline(always)]
        || {
            for (x, y) in x.iter_mut().zip(y) {
                *x += y;
            }
        },
    );
}

/// `x[i] = log10(max(x[i], floor))`, for log-mel.
#[inline(always)]
pub(crate) fn log10<I: Isa>(isa: I, x: &mut [f32], floor: f32) {
    isa.vectorize(
        #[inline(always)]
        || {
            for x in x {
                *x = math::log10(if *x > floor { *x } else { floor });
            }
        },
    );
}
