//! The peers: each one's operands, made ready beforehand, and its product.

use std::fmt;

use anyhow::{Result, anyhow};
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;
use tritium_core::{GemmShape, TernaryFormat, Trit as Weight};
use tritium_cpu::CpuBackend;
use tritium_format::TQ2_0_BLOCK_BYTES;
use tritium_spec::{DeviceBuffer, MpGemm, TernaryBackend};

use crate::work::{Trit, Work};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Tritium,
    CandleQ4,
    CandleQ8,
    CandleF32,
    Rten,
    TritFloats,
    Trit,
}

impl Peer {
    /// All, trit last.
    pub(crate) const ALL: [Self; 7] = [
        Self::Tritium,
        Self::CandleQ4,
        Self::CandleQ8,
        Self::CandleF32,
        Self::Rten,
        Self::TritFloats,
        Self::Trit,
    ];

    /// What it is and what it computes.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Tritium => "tritium-cpu, 2-bit weights (TQ2_0), float activations in and inside",
            Self::CandleQ4 => {
                "candle-core, 4-bit weights, float activations that it makes 8 bits of"
            }
            Self::CandleQ8 => {
                "candle-core, 8-bit weights, float activations that it makes 8 bits of"
            }
            Self::CandleF32 => "candle-core, all floats, by the crate gemm",
            Self::Rten => "rten-gemm, 8-bit weights, 8-bit activations in; integers out, no scales",
            Self::TritFloats => {
                "trit, 2-bit weights (T4), float activations that it makes 8 bits of"
            }
            Self::Trit => "trit, 2-bit weights (T4), 8-bit activations in",
        }
    }

    /// trit with the same kind of activations; `None` for trit itself.
    pub(crate) const fn opponent(self) -> Option<Self> {
        match self {
            Self::Tritium | Self::CandleQ4 | Self::CandleQ8 | Self::CandleF32 => {
                Some(Self::TritFloats)
            }
            Self::Rten => Some(Self::Trit),
            Self::TritFloats | Self::Trit => None,
        }
    }

    /// Its operands of `work`.
    pub(crate) fn prepare<'a>(self, work: &'a Work) -> Result<Box<dyn Product + 'a>> {
        Ok(match self {
            Self::Tritium => Box::new(Tritium::new(work)?),
            Self::CandleQ4 => Box::new(Candle::quantized(work, GgmlDType::Q4K)?),
            Self::CandleQ8 => Box::new(Candle::quantized(work, GgmlDType::Q8_0)?),
            Self::CandleF32 => Box::new(Candle::float(work)?),
            Self::Rten => Box::new(Rten::new(work)),
            Self::TritFloats => Box::new(FromFloats(Trit::new(work)?)),
            Self::Trit => {
                let mut trit = Trit::new(work)?;
                trit.quantize()?;
                Box::new(trit)
            }
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tritium => "tritium",
            Self::CandleQ4 => "candle q4_K",
            Self::CandleQ8 => "candle q8_0",
            Self::CandleF32 => "candle f32",
            Self::Rten => "rten int8",
            Self::TritFloats => "trit, floats in",
            Self::Trit => "trit",
        })
    }
}

/// A product, ready to run again and again.
pub(crate) trait Product {
    /// Computes it.
    fn run(&mut self) -> Result<()>;

    /// What the last run gave, `[tokens, rows]`.
    fn output(&self) -> Result<Vec<f32>>;
}

impl Product for Trit<'_> {
    fn run(&mut self) -> Result<()> {
        self.multiply()
    }

    fn output(&self) -> Result<Vec<f32>> {
        Ok(self.y.clone())
    }
}

/// trit with the quantising of activations.
struct FromFloats<'a>(Trit<'a>);

impl Product for FromFloats<'_> {
    fn run(&mut self) -> Result<()> {
        self.0.quantize()?;
        self.0.multiply()
    }

    fn output(&self) -> Result<Vec<f32>> {
        self.0.output()
    }
}

struct Tritium<'a> {
    work: &'a Work,
    weights: Box<dyn DeviceBuffer>,
    scales: Vec<f32>,
    y: Vec<f32>,
}

impl<'a> Tritium<'a> {
    fn new(work: &'a Work) -> Result<Self> {
        let &Work { rows, k, tokens, .. } = work;
        let blocks = tritium_format::num_blocks(k);
        let ones = vec![half::f16::ONE; blocks];
        let mut packed = vec![0; rows * blocks * TQ2_0_BLOCK_BYTES];
        let into = packed.chunks_exact_mut(blocks * TQ2_0_BLOCK_BYTES);
        for (row, into) in work.trits.chunks_exact(k).zip(into) {
            let row: Vec<_> = row.iter().map(|&w| Weight::from_i8(w)).collect::<Result<_, _>>()?;
            tritium_format::pack_tq2_0_row(&row, &ones, into)?;
        }
        let shape = GemmShape::new(tokens, rows, k);
        let weights = CpuBackend::new().upload_weights(&packed, shape, TernaryFormat::Tq2_0)?;
        Ok(Self { work, weights, scales: vec![1.0; rows], y: vec![0.0; tokens * rows] })
    }
}

impl Product for Tritium<'_> {
    fn run(&mut self) -> Result<()> {
        let &Work { rows, k, tokens, ref floats, .. } = self.work;
        Ok(CpuBackend::new().mpgemm(MpGemm {
            act: floats,
            weights: &*self.weights,
            scales: &self.scales,
            shape: GemmShape::new(tokens, rows, k),
            format: TernaryFormat::Tq2_0,
            out: &mut self.y,
        })?)
    }

    fn output(&self) -> Result<Vec<f32>> {
        Ok(self.y.clone())
    }
}

enum Candle {
    Quantized { w: QMatMul, x: Tensor, y: Option<Tensor> },
    Float { w: Tensor, x: Tensor, y: Option<Tensor> },
}

impl Candle {
    fn quantized(work: &Work, kind: GgmlDType) -> Result<Self> {
        let (w, x) = Self::operands(work)?;
        let w = QMatMul::from_qtensor(QTensor::quantize(&w, kind)?)?;
        Ok(Self::Quantized { w, x, y: None })
    }

    fn float(work: &Work) -> Result<Self> {
        let (w, x) = Self::operands(work)?;
        Ok(Self::Float { w: w.t()?, x, y: None })
    }

    /// Weights `[rows, k]` and activations `[tokens, k]`.
    fn operands(work: &Work) -> Result<(Tensor, Tensor)> {
        let weights: Vec<f32> = work.trits.iter().map(|&w| f32::from(w)).collect();
        let w = Tensor::from_vec(weights, (work.rows, work.k), &Device::Cpu)?;
        let x = Tensor::from_slice(&work.floats, (work.tokens, work.k), &Device::Cpu)?;
        Ok((w, x))
    }
}

impl Product for Candle {
    fn run(&mut self) -> Result<()> {
        match self {
            Self::Quantized { w, x, y } => *y = Some(w.forward(x)?),
            Self::Float { w, x, y } => *y = Some(x.matmul(w)?),
        }
        Ok(())
    }

    fn output(&self) -> Result<Vec<f32>> {
        let (Self::Quantized { y, .. } | Self::Float { y, .. }) = self;
        let y = y.as_ref().ok_or_else(|| anyhow!("nothing was computed"))?;
        Ok(y.flatten_all()?.to_vec1()?)
    }
}

struct Rten<'a> {
    work: &'a Work,
    gemm: GemmExecutor<u8, i8, i32>,
    /// Packed for several tokens; one token meets the rows as they are.
    weights: Option<PackedBMatrix<i8>>,
    /// Activations plus 128.
    x: Vec<u8>,
    zeros: Vec<u8>,
    y: Vec<i32>,
}

impl<'a> Rten<'a> {
    fn new(work: &'a Work) -> Self {
        let &Work { rows, k, tokens, .. } = work;
        let gemm = GemmExecutor::new();
        let w = NdTensorView::from_data([rows, k], &work.trits[..]);
        let weights = (tokens > 1).then(|| gemm.prepack_b(w.transposed()));
        let x = work.integers.iter().map(|&q| q.cast_unsigned() ^ 0x80).collect();
        Self { work, gemm, weights, x, zeros: vec![128; tokens], y: vec![0; tokens * rows] }
    }
}

impl Product for Rten<'_> {
    fn run(&mut self) -> Result<()> {
        let &Work { rows, k, tokens, ref trits, .. } = self.work;
        let a = GemmInputA::Unpacked(NdTensorView::from_data([tokens, k], &self.x[..]));
        let w = NdTensorView::from_data([rows, k], &trits[..]);
        let b = match &self.weights {
            Some(packed) => GemmInputB::Packed(packed),
            None => GemmInputB::Unpacked(w.transposed()),
        };
        let a_quant = Some(QuantParams { zero_point: &self.zeros[..] });
        let options = GemmOptions { a_quant, ..Default::default() };
        self.gemm.gemm(&mut self.y, a, b, options).map_err(|error| anyhow!("{error}"))
    }

    fn output(&self) -> Result<Vec<f32>> {
        // Below 2²⁴, see `Work`.
        Ok(self.y.iter().map(|&y| y as f32).collect())
    }
}
