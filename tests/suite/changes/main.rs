//! `meshc diff`: changes of real meshes with what they come to, the document about it, and random pairs of meshes.

mod document;
mod mutations;
mod table;
