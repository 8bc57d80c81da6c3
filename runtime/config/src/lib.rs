//! The versioned configuration of meshd: raw, then validated.
