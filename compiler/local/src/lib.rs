//! The same plan placed on one machine.
