//! What meshd accepts as a certificate of the mesh: the one verifier, for the handshake and for `meshc trust`.
//!
//! A chain has to verify (RFC 5280, by webpki), and each certificate in it has to be what SPIFFE asks for (X509-SVID,
//! sections 3 to 5): a workload has exactly one URI, is no authority, and may make digital signatures; an authority may
//! sign certificates; keys are those that both data planes verify with. The crate reads no disk and no clock.

mod extension;
mod profile;
mod validity;
mod verify;

pub use extension::{Extension, NameForm, extensions};
pub use profile::{Flaw, authority, leaf, unsupported_key};
pub use validity::{Validity, validity};
pub use verify::{Purpose, Refusal, anchor, verify};
