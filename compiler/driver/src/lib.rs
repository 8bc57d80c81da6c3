//! The pipeline over an injected file system and clock.
