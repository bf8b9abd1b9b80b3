//! Why a request is not served, in one sentence and one status code.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::picture::{MAX_PIXELS, MAX_SIDE};

/// Why a request is not served.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Refusal {
    /// No filter of this name.
    #[error("There is no filter \"{0}\"; choose blur, sobel, unsharp, contrast or equalize.")]
    UnknownFilter(String),
    /// No built-in picture of this name.
    #[error("There is no picture \"{0}\"; \"sample\" is built in, others are sent by POST.")]
    UnknownImage(String),
    /// Nothing at this address.
    #[error("There is nothing at {0}; start at /.")]
    UnknownPath(String),
    /// The address does not take this method.
    #[error("{path} does not take {method}.")]
    Method {
        /// The request's path.
        path: String,
        /// The request's method.
        method: String,
    },
    /// A query option that is unknown, given twice, not a number or out of range.
    #[error("Option {name}={value:?} is not usable: {why}.")]
    Option {
        /// Its name.
        name: String,
        /// What was given.
        value: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The query string is not `name=value` pairs.
    #[error("The query could not be read: {0}.")]
    Query(String),
    /// No body.
    #[error("The request has no body; send the bytes of a PNG or JPEG.")]
    Empty,
    /// Neither PNG nor JPEG.
    #[error("The body is neither a PNG nor a JPEG.")]
    Format,
    /// A PNG or JPEG that cannot be decoded.
    #[error("The picture could not be decoded: {0}.")]
    Corrupt(String),
    /// Too many pixels.
    #[error(
        "The picture is {width} x {height}; at most {MAX_PIXELS} pixels and {MAX_SIDE} to a side are taken."
    )]
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The body is longer than the limit.
    #[error("The body is longer than {limit} bytes.")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body ended before its announced length.
    #[error("The body ended early; send the whole picture.")]
    Truncated,
    /// The body did not arrive in time.
    #[error("The body did not arrive within {seconds} s.")]
    Slow {
        /// The limit.
        seconds: u64,
    },
    /// More requests wait than the service holds.
    #[error("Too many requests are waiting; try again in a second.")]
    Busy,
    /// The result could not be encoded.
    #[error("The result could not be encoded: {0}.")]
    Encode(String),
    /// The filter panicked.
    #[error("The filter failed: {0}.")]
    Failed(String),
    /// The request was made by a page of another site.
    #[error("Devices are moved from this service's own page only.")]
    OtherSite,
    /// The engine refused what was asked about a device.
    #[error("{0}")]
    Device(String),
}

impl Refusal {
    /// The HTTP status that says whose fault it is.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnknownFilter(_) | Self::UnknownImage(_) | Self::UnknownPath(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Option { .. } | Self::Query(_) | Self::Empty => StatusCode::BAD_REQUEST,
            Self::Corrupt(_) | Self::Truncated => StatusCode::BAD_REQUEST,
            Self::Format => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } | Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Encode(_) | Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::OtherSite => StatusCode::FORBIDDEN,
            Self::Device(_) => StatusCode::CONFLICT,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), format!("{self}\n")).into_response()
    }
}
