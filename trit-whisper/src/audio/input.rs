//! The packets of a file's audio track, demuxed and decoded by symphonia.

use std::io;

use symphonia::core::codecs::audio::well_known as codecs;
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_FLAC, FORMAT_ID_ISOMP4, FORMAT_ID_MKV, FORMAT_ID_MP3, FORMAT_ID_OGG,
};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::{Duration, TimeBase};

use super::AudioError;
use super::gaps::Gaps;
use super::mono::Mono;
use super::source::Source;

/// What came of reading a packet.
pub(super) enum Packet {
    Decoded,
    /// It could not be decoded: why not, and the seconds it states.
    Damaged(String, f64),
    /// Nothing of the audio, silence, or a packet that is put into it next.
    Passed,
    /// There are no more, and why not, if that was to be expected.
    End {
        early: Option<String>,
    },
}

/// The packets of a file's audio track.
pub(super) struct Input {
    format: Box<dyn FormatReader>,
    track: Track,
    endless: bool,
    pub(super) gaps: Gaps,
    /// The packet decoded last.
    interleaved: Vec<f32>,
    /// Its channels, until it is put into the audio, after the silence that comes before it.
    held: Option<usize>,
}

impl Input {
    pub(super) fn open(source: Source, hint: &Hint) -> Result<Self, AudioError> {
        let Source { media, endless } = source;
        let stream = MediaSourceStream::new(media, Default::default());
        let format = symphonia::default::get_probe()
            .probe(hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(open_error)?;
        let track = open_track(format.as_ref())?;
        let (gaps, interleaved) = Default::default();
        Ok(Self { format, track, endless, gaps, interleaved, held: None })
    }

    /// The length in seconds, where the file states it.
    pub(super) fn stated(&self) -> Option<f64> {
        self.track.stated.filter(|_| !self.endless)
    }

    /// Reads and decodes one packet into `mono`, or puts silence there for one that is missing.
    pub(super) fn packet(&mut self, mono: &mut Mono) -> Result<Packet, AudioError> {
        if self.gaps.fill(mono)? {
            return Ok(Packet::Passed);
        }
        if let Some(channels) = self.held.take() {
            mono.push(&self.interleaved, channels)?;
            return Ok(Packet::Decoded);
        }
        let mut packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Packet::End { early: None }),
            // The next file of a chained Ogg stream.
            Err(SymphoniaError::ResetRequired) => {
                return Ok(match open_track(self.format.as_ref()) {
                    Ok(track) => {
                        self.track = Track { stated: None, ends: None, ..track };
                        self.gaps.restart(mono.seconds());
                        Packet::Passed
                    }
                    Err(error) => Packet::End { early: Some(error.to_string()) },
                });
            }
            Err(SymphoniaError::IoError(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && self.endless =>
            {
                return Ok(Packet::End { early: None });
            }
            Err(error) => return Ok(Packet::End { early: Some(error.to_string()) }),
        };
        let time = self.time(&packet);
        time.into_iter().for_each(|time| self.gaps.begin(time));
        if packet.track_id != self.track.id {
            return Ok(Packet::Passed);
        }
        if self.track.ends.is_some_and(|ends| packet.pts.get() >= ends) {
            packet.trim_end = Duration::ZERO;
        }
        let decoded = match self.track.decoder.decode(&packet) {
            Ok(decoded) => decoded,
            // Damaged bits may also look like a feature that the decoder does not have.
            Err(
                error @ (SymphoniaError::DecodeError(_)
                | SymphoniaError::Unsupported(_)
                | SymphoniaError::IoError(_)),
            ) => {
                let seconds =
                    self.track.base.map_or(0.0, |base| seconds(packet.dur.get() as f64, base));
                return Ok(Packet::Damaged(error.to_string(), seconds));
            }
            Err(error) => return Ok(Packet::End { early: Some(error.to_string()) }),
        };
        mono.set_rate(decoded.spec().rate())?;
        self.interleaved.clear();
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        // The first packet of Vorbis gives no samples.
        if !self.interleaved.is_empty() {
            let stated = self.track.stated;
            time.into_iter().for_each(|time| self.gaps.find(time, mono, stated));
            self.held = Some(decoded.spec().channels().count());
        }
        Ok(Packet::Passed)
    }

    /// The second at which a packet is to be heard, or seen, where the file states it. In other kinds
    /// of files it is but the number of the packet, or its place.
    fn time(&self, packet: &symphonia::core::packet::Packet) -> Option<f64> {
        let timed = [FORMAT_ID_FLAC, FORMAT_ID_OGG, FORMAT_ID_ISOMP4, FORMAT_ID_MKV];
        if !timed.contains(&self.format.format_info().format) {
            return None;
        }
        let track = self.format.tracks().iter().find(|track| track.id == packet.track_id);
        let base = track.and_then(|track| track.time_base)?;
        Some(seconds(packet.pts.get() as f64, base))
    }
}

fn seconds(ticks: f64, base: TimeBase) -> f64 {
    ticks * f64::from(base.numer.get()) / f64::from(base.denom.get())
}

fn open_error(error: SymphoniaError) -> AudioError {
    match error {
        // No demuxer knows the file.
        SymphoniaError::Unsupported(what) if what.starts_with("core (probe)") => {
            AudioError::NotAudio
        }
        SymphoniaError::Unsupported(what) if what.contains("missing") => {
            AudioError::Damaged(what.into())
        }
        SymphoniaError::Unsupported(what) => AudioError::Unsupported(what),
        SymphoniaError::IoError(error) if !is_of_content(error.kind()) => AudioError::Io(error),
        error => AudioError::Damaged(error.to_string()),
    }
}

/// Whether an error of reading comes from what the file says, not from the system: a place in it that
/// cannot be, before the first byte (`InvalidInput`) or, in a stream, behind the reader (`Other`).
fn is_of_content(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(kind, UnexpectedEof | InvalidInput | InvalidData | Other)
}

/// The name of a codec that files of the known kinds may hold and that has no decoder here.
fn codec_name(id: AudioCodecId) -> &'static str {
    match id {
        codecs::CODEC_ID_OPUS => "Opus audio",
        codecs::CODEC_ID_SPEEX => "Speex audio",
        codecs::CODEC_ID_AC3 => "AC-3 audio",
        codecs::CODEC_ID_EAC3 => "E-AC-3 audio",
        codecs::CODEC_ID_DCA => "DTS audio",
        codecs::CODEC_ID_WMA => "WMA audio",
        codecs::CODEC_ID_WAVPACK => "WavPack audio",
        _ => "the audio's codec",
    }
}

/// The core of HE-AAC as AAC of its own, which the decoder takes. It lacks but the treble, of half
/// the rate on, and the difference of two channels where they are told by parameters.
fn aac_core(parameters: &AudioCodecParameters) -> Option<AudioCodecParameters> {
    let &[first, second, third, ..] = parameters.extra_data.as_deref()? else { return None };
    // Kind, rate and channels, 5, 4 and 4 bits, the treble's rate, 4, the core's kind, 5, and whether
    // its frames are short.
    let (kind, core, short) = (first >> 3, third >> 2 & 31, third >> 1 & 1);
    let rates = [(first & 7) << 1 | second >> 7, (second & 7) << 1 | third >> 7];
    let is_one = matches!(kind, 5 | 29) && core == 2 && short == 0;
    // 15 is followed by a rate in full.
    if parameters.codec != codecs::CODEC_ID_AAC || !is_one || rates.contains(&15) {
        return None;
    }
    let mut parameters = parameters.clone();
    parameters.extra_data = Some(Box::new([core << 3 | first & 7, second & 0xF8]));
    Some(parameters)
}

/// The track to read.
struct Track {
    id: u32,
    base: Option<TimeBase>,
    decoder: Box<dyn AudioDecoder>,
    /// Its length in seconds, where the file states it.
    stated: Option<f64>,
    /// One past the last timestamp that an MP3 file's header states. Packets are trimmed whole from
    /// there on: those of a second file that was joined to the first, say.
    ends: Option<i64>,
}

/// The first track that can be decoded, beginning with the one that the file names as its own.
fn open_track(format: &dyn FormatReader) -> Result<Track, AudioError> {
    let own = format.default_track(TrackType::Audio);
    let all = format.tracks().iter().filter(|track| track.track_type() == Some(TrackType::Audio));
    let mut refused = None;
    for track in own.into_iter().chain(all) {
        match decode_track(format, track) {
            Ok(track) => return Ok(track),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or(AudioError::NoTrack))
}

fn decode_track(
    format: &dyn FormatReader,
    track: &symphonia::core::formats::Track,
) -> Result<Track, AudioError> {
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or(AudioError::NoTrack)?;
    let core = aac_core(parameters);
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(core.as_ref().unwrap_or(parameters), &AudioDecoderOptions::default())
        .map_err(|error| match error {
            SymphoniaError::Unsupported(what) if what.starts_with("core (codec)") => {
                AudioError::Codec(codec_name(parameters.codec))
            }
            SymphoniaError::Unsupported(what) => AudioError::Unsupported(what),
            error => AudioError::Damaged(error.to_string()),
        })?;
    // The encoder's padding is stated too, and is to be trimmed.
    let frames = track.num_frames.filter(|_| format.format_info().format == FORMAT_ID_MP3);
    let ends = frames.map(|frames| frames.saturating_add(track.padding.unwrap_or(0).into()));
    let ends = ends.map(|ends| i64::try_from(ends).unwrap_or(i64::MAX));
    // MP4 in fragments states a length of 0.
    let stated = track.num_frames.filter(|&frames| frames > 0).zip(parameters.sample_rate);
    let stated = stated.map(|(frames, rate)| frames as f64 / f64::from(rate.max(1)));
    Ok(Track { id: track.id, base: track.time_base, decoder, stated, ends })
}
