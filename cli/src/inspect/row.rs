//! One row of the site table and all it leads to.

use hotsled_abi::{ENTRY_STRIDE, NOP8, RecordView, SITE_ROW_LEN, SITE_VERSION, SiteRow};
use hotsled_ir::{Access, ParamKind, Reach, Valid};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter, Mnemonic};
use serde::Serialize;

use super::error::Fault;
use super::image::Image;

/// One section of a program.
#[derive(Debug, Serialize)]
pub struct Section {
    /// Row in the site table.
    pub row: usize,
    /// Path in its crate.
    pub path: String,
    /// Address of the sled.
    pub site: u64,
    /// Bytes of the sled, in hexadecimal.
    pub bytes: String,
    /// What they decode to.
    pub decoded: String,
    /// Address of the CPU body.
    pub body: u64,
    /// Bytes of the virtual-ISA module.
    pub isa_bytes: usize,
    /// Parameters, in order.
    pub params: Vec<Param>,
    /// The module's bytes, valid.
    #[serde(skip)]
    pub module: Vec<u8>,
    /// The module's text form.
    #[serde(skip)]
    pub ir: String,
}

/// One parameter of a section.
#[derive(Debug, Serialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its scalar or element type.
    #[serde(rename = "type")]
    pub ty: String,
    /// How the section reaches it.
    pub access: String,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number.
    Scalar,
    /// `&[T]`.
    Input,
    /// `&mut [T]`.
    Own,
    /// `&[AtomicT]`.
    Accumulator,
}

pub(super) fn read(
    image: &Image<'_>,
    row: usize,
    at: u64,
    bytes: &[u8; SITE_ROW_LEN],
) -> Result<Section, Fault> {
    let fields = SiteRow::from_bytes(bytes);
    if fields.version != SITE_VERSION {
        return Err(Fault::Version {
            row,
            address: at,
            version: fields.version,
        });
    }
    let (site, body) = (fields.sled_at(at).get(), fields.body_at(at).get());
    let sled = sled(image, row, site, body)?;
    let cell = fields.cell_at(at);
    if !cell.is_multiple_of(8) || !image.writable(cell, 8) {
        return out(row, "cell", cell, "writable, 8-byte aligned");
    }
    let (address, len) = (fields.record_at(at), u64::from(fields.record_len));
    let record = image
        .read(address, len)
        .filter(|_| image.readable(address, len));
    let Some(record) = record else {
        return out(row, "record", address, "readable");
    };
    let fault = |source| Fault::Record {
        row,
        address,
        source,
    };
    let record = RecordView::parse(record).map_err(fault)?;
    let fault = |source| Fault::Module {
        row,
        address,
        source,
    };
    let module = hotsled_ir::read(record.module).map_err(fault)?;
    Ok(Section {
        row,
        path: record.path.to_owned(),
        site,
        bytes: sled
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(" "),
        decoded: decode(&sled, site),
        body,
        isa_bytes: record.module.len(),
        params: params(&module),
        module: record.module.to_vec(),
        ir: hotsled_ir::print(&module),
    })
}

fn out<T>(row: usize, what: &'static str, address: u64, space: &'static str) -> Result<T, Fault> {
    Err(Fault::OutOfRange {
        row,
        what,
        address,
        space,
    })
}

fn sled(image: &Image<'_>, row: usize, site: u64, body: u64) -> Result<[u8; 8], Fault> {
    if !site.is_multiple_of(ENTRY_STRIDE as u64) {
        return Err(Fault::Misaligned { row, address: site });
    }
    let stride = ENTRY_STRIDE as u64;
    let entry = image
        .read(site, stride)
        .filter(|_| image.executable(site, stride));
    let Some((found, tail)) = entry.and_then(|e| e.split_first_chunk::<8>()) else {
        return out(row, "sled", site, "executable");
    };
    if !image.executable(body, 1) {
        return out(row, "body", body, "executable");
    }
    if *found != NOP8 {
        return Err(Fault::NotIdle {
            row,
            address: site,
            found: *found,
            decoded: decode(found, site),
        });
    }
    let jump = Decoder::with_ip(64, tail, site.wrapping_add(8), DecoderOptions::NONE).decode();
    if jump.mnemonic() != Mnemonic::Jmp || jump.near_branch_target() != body {
        return Err(Fault::NoJump {
            row,
            address: site,
            body,
        });
    }
    Ok(*found)
}

fn decode(bytes: &[u8], address: u64) -> String {
    let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    let mut text = String::new();
    IntelFormatter::new().format(&instruction, &mut text);
    text
}

fn params(module: &Valid) -> Vec<Param> {
    let access = hotsled_ir::access(module);
    let one = |(p, access): (&hotsled_ir::Param, Access)| {
        let (kind, ty) = match p.kind {
            ParamKind::Scalar(ty) => (Kind::Scalar, format!("{ty:?}")),
            ParamKind::Input(elem) => (Kind::Input, format!("{elem:?}")),
            ParamKind::Own(elem) => (Kind::Own, format!("{elem:?}")),
            ParamKind::Accumulator(elem, op) => (Kind::Accumulator, format!("{op:?} {elem:?}")),
        };
        Param {
            name: p.name.clone(),
            kind,
            ty: ty.to_lowercase(),
            access: words(access),
        }
    };
    module.params.iter().zip(access).map(one).collect()
}

fn words(access: Access) -> String {
    match access {
        Access::Scalar => "value".to_owned(),
        Access::Input(Reach::Unused) => "unused".to_owned(),
        Access::Input(Reach::Whole) => "read anywhere".to_owned(),
        Access::Input(Reach::Window {
            before: 0,
            after: 0,
        }) => "read at the index".to_owned(),
        Access::Input(Reach::Window { before, after }) => {
            format!("read from {before} before to {after} after the index")
        }
        Access::Accumulator => "combined with anywhere".to_owned(),
        Access::Own { read, whole } => {
            let verb = if read { "read and written" } else { "written" };
            let reach = if whole { "every index" } else { "some indices" };
            format!("{verb} at {reach}")
        }
    }
}
