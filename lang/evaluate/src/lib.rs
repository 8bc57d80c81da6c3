//! Names, types and values: syntax trees and a schema become checked declarations.
