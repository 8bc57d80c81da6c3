//! Sets of words and the enums of the model that they stand for, written once.

/// Declares the words of an enum: a table for the schema, and how a checked word is read back. Behind `|` stand words
/// that a person may try instead.
macro_rules! symbols {
    ($(#[$doc:meta])* $table:ident: $type:ty {
        $($word:literal $(| $other:literal)* => $value:path, $text:literal;)+
    }) => {
        $(#[$doc])*
        pub(crate) const $table: &[lang_evaluate::schema::Symbol] =
            &[$(lang_evaluate::schema::Symbol { word: $word, documentation: $text, also: &[$($other),*] }),+];

        impl lang_evaluate::FromValue for $type {
            fn from_value(value: &lang_evaluate::Value) -> Option<Self> {
                let lang_evaluate::Value::Symbol(word) = value else { return None };
                match *word {
                    $($word => Some($value),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use symbols;
