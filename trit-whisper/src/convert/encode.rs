//! Tensors of a checkpoint as they are stored in a file.

use trit_core::container::Form;
use trit_core::quantize::{self, Granularity};
use trit_core::{Int8Matrix, Layout, QuantizeError, Scales, f16, int4, layout, padded_rows};

use super::{ConvertError, Storage, Ternarize};
use crate::import::{Checkpoint, Values};

/// Bytes of data and scales, and the relative error.
pub(super) type Encoded = (Vec<u8>, Vec<u8>, f64);

pub(super) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// ‖stored − source‖ / ‖source‖.
fn relative_error(source: &[f32], stored: impl Iterator<Item = f32>) -> f64 {
    let (mut difference, mut norm) = (0.0, 0.0);
    for (&a, b) in source.iter().zip(stored) {
        difference += f64::from(a - b).powi(2);
        norm += f64::from(a).powi(2);
    }
    if norm > 0.0 { (difference / norm).sqrt() } else { 0.0 }
}

/// Reads the tensor `name` and encodes it as `storage`, which gives it `form`.
pub(super) fn encode(
    checkpoint: &dyn Checkpoint,
    name: &str,
    form: &Form,
    storage: Storage,
    conv: bool,
) -> Result<Encoded, ConvertError> {
    let (rows, k) = (form.rows(), form.k().unwrap_or(0));
    // A convolution is stored as [out, tap, in] and comes as [out, in, tap].
    let mut shape: Vec<_> = form.dimensions().iter().map(|&each| each as usize).collect();
    if conv {
        shape[1..].reverse();
    }
    let mut weights = match checkpoint.read(name, &shape)? {
        // As the checkpoint has them.
        Values::Ternary { codes, scales, group }
            if matches!(storage, Storage::Ternary(Ternarize::Exact, Granularity::Group(size))
                if size.inputs() == group && k.is_multiple_of(group)) =>
        {
            let scales = tile_scales(rows, k, group, &scales);
            return Ok((pack(name, rows, k, &codes)?, floats(&scales), 0.0));
        }
        Values::Ternary { codes, scales, group } => {
            codes.iter().enumerate().map(|(i, &c)| f32::from(c) * scales[i / group]).collect()
        }
        Values::Dense(weights) => weights,
    };
    if let Some(at) = weights.iter().position(|weight| !weight.is_finite()) {
        return Err(ConvertError::NonFinite { name: name.into(), at: (at / k, at % k) });
    }
    if conv {
        let channels = k / 3;
        let taps = |i: usize| weights[i / k * k + i % channels * 3 + i % k / channels];
        weights = (0..weights.len()).map(taps).collect();
    }
    let unsupported = |what: String| ConvertError::Unsupported { name: name.into(), what };
    let quantised = |error: QuantizeError| unsupported(error.to_string());
    match storage {
        Storage::F32 => Ok((floats(&weights), Vec::new(), 0.0)),
        Storage::F16 => {
            let halves: Vec<u16> = weights.iter().map(|&weight| f16::from_f32(weight)).collect();
            if let Some(at) = halves.iter().position(|bits| bits & 0x7C00 == 0x7C00) {
                return Err(unsupported(format!("value {} is too large for f16", weights[at])));
            }
            let error = relative_error(&weights, halves.iter().map(|&bits| f16::to_f32(bits)));
            Ok((halves.iter().flat_map(|bits| bits.to_le_bytes()).collect(), Vec::new(), error))
        }
        Storage::Int8 => {
            let stride = Int8Matrix::stride_of(k);
            let mut data = vec![0; rows * stride];
            let mut scales = vec![0.0; padded_rows(rows)];
            let values = bytemuck::cast_slice_mut(&mut data);
            quantize::int8(rows, k, &weights, values, &mut scales).map_err(quantised)?;
            let rows = values.chunks_exact(stride).zip(&scales);
            let stored = rows.flat_map(|(values, &scale)| {
                values[..k].iter().map(move |&value| f32::from(value) * scale)
            });
            let error = relative_error(&weights, stored);
            Ok((data, floats(&scales), error))
        }
        Storage::Int4(group) => {
            let mut values = vec![0i8; rows * k];
            let mut scales = vec![0.0; Scales::len(rows, k, Some(group))];
            quantize::int4(group, rows, k, &weights, &mut values, &mut scales)
                .map_err(quantised)?;
            let mut codes = vec![0; int4::bytes(rows, k).unwrap_or(0)];
            int4::pack(rows, k, &values, &mut codes)
                .map_err(|error| unsupported(error.to_string()))?;
            let scale = |i: usize| scales[Scales::group_index(k, group, i / k, i % k)];
            let stored = values.iter().enumerate().map(|(i, &value)| f32::from(value) * scale(i));
            let error = relative_error(&weights, stored);
            Ok((codes, floats(&scales), error))
        }
        Storage::Ternary(how, granularity) => {
            let mut codes = vec![0i8; rows * k];
            let mut scales = vec![0.0; granularity.scales_len(rows, k)];
            let (codes_of, scales_of) = (&mut codes, &mut scales);
            match how {
                Ternarize::Rule(rule) => {
                    quantize::ternary(rule, granularity, rows, k, &weights, codes_of, scales_of)
                        .map_err(quantised)?;
                }
                Ternarize::Exact => {
                    let exact = quantize::ternary_exact(
                        granularity,
                        rows,
                        k,
                        &weights,
                        codes_of,
                        scales_of,
                    );
                    if !exact.map_err(quantised)? {
                        return Err(ConvertError::NotExact(name.into()));
                    }
                }
            }
            let scale = |i: usize| match granularity {
                Granularity::Tensor => scales[0],
                Granularity::Row => scales[i / k],
                Granularity::Group(size) => scales[Scales::group_index(k, size, i / k, i % k)],
            };
            let stored = codes.iter().enumerate().map(|(i, &code)| f32::from(code) * scale(i));
            let error = relative_error(&weights, stored);
            Ok((pack(name, rows, k, &codes)?, floats(&scales), error))
        }
    }
}

fn pack(name: &str, rows: usize, k: usize, codes: &[i8]) -> Result<Vec<u8>, ConvertError> {
    let unsupported = |what: String| ConvertError::Unsupported { name: name.into(), what };
    let bytes = layout::bytes(Layout::T4, rows, k);
    let bytes = bytes.ok_or_else(|| unsupported("it is too large".into()))?;
    let mut packed = vec![0; bytes];
    layout::pack(Layout::T4, rows, k, codes, &mut packed)
        .map_err(|error| unsupported(error.to_string()))?;
    Ok(packed)
}

/// Scales `[rows, k / group]` in the order of [`Scales::Group`].
fn tile_scales(rows: usize, k: usize, group: usize, scales: &[f32]) -> Vec<f32> {
    let groups = k / group;
    let mut tiled = vec![0.0; padded_rows(rows) * groups];
    for (index, &scale) in scales.iter().enumerate() {
        let (row, part) = (index / groups, index % groups);
        tiled[(row / 16 * groups + part) * 16 + row % 16] = scale;
    }
    tiled
}
