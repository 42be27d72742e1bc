//! The default microphone, through `cpal`.

use std::sync::mpsc::{SyncSender, TrySendError};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, Stream, StreamConfig};
use trit_whisper::audio::{Encoding, Pcm};

use super::Piece;
use crate::cli::Failure;

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::Audio(format!("microphone: {error}"))
}

/// Starts recording; pieces go to `sender` as long as the result lives.
pub(super) fn record(sender: SyncSender<Piece>) -> Result<Stream, Failure> {
    let device = cpal::default_host().default_input_device();
    let device = device.ok_or_else(|| failure("there is none"))?;
    let config = device.default_input_config().map_err(failure)?;
    let format = config.sample_format();
    let config = StreamConfig::from(config);
    let stream = match format {
        SampleFormat::F32 => open::<f32>(&device, config, sender),
        SampleFormat::I16 => open::<i16>(&device, config, sender),
        SampleFormat::I32 => open::<i32>(&device, config, sender),
        SampleFormat::U16 => open::<u16>(&device, config, sender),
        SampleFormat::U8 => open::<u8>(&device, config, sender),
        SampleFormat::I8 => open::<i8>(&device, config, sender),
        other => return Err(failure(format!("samples of the form {other} are not read"))),
    }?;
    stream.play().map_err(failure)?;
    Ok(stream)
}

fn open<T: SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    sender: SyncSender<Piece>,
) -> Result<Stream, Failure>
where
    f32: FromSample<T>,
{
    let pcm = Pcm::new(Encoding::F32le, config.sample_rate, config.channels);
    let mut pcm = pcm.map_err(failure)?;
    let errors = sender.clone();
    let mut bytes = Vec::new();
    let take = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        bytes.clear();
        bytes.extend(samples.iter().flat_map(|&sample| f32::from_sample(sample).to_le_bytes()));
        let piece = pcm.push(&bytes).map_err(failure);
        // The system's own thread must not wait.
        if let Err(TrySendError::Full(_)) = sender.try_send(piece.into()) {
            crate::cli::tell("warning: microphone: the model is too slow, audio is lost");
        }
    };
    let fail = move |error: cpal::Error| {
        use cpal::ErrorKind::{DeviceChanged, RealtimeDenied, Xrun};
        if matches!(error.kind(), DeviceChanged | RealtimeDenied | Xrun) {
            crate::cli::tell(format_args!("warning: microphone: {error}"));
        } else {
            // If there is no room, the next error or the end of the pieces tells of it.
            let _ = errors.try_send(Piece::Failed(failure(error)));
        }
    };
    device.build_input_stream(config, take, fail, None).map_err(failure)
}
