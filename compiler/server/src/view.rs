//! A document in its mesh: what requests are answered from.

use std::path::{Path, PathBuf};

use lang_diagnostics::{FileId, SourceMap, Span};
use lang_evaluate::{Block, Declarations, EntityId};
use ls_types::{Position, Range};
use meshc_driver::Analysis;

use crate::cursor::{self, Cursor};
use crate::kinds::{self, Around};
use crate::text::{Text, touches};
use crate::world::{Mesh, World};

/// A document, and what was read of its mesh.
#[derive(Clone, Copy)]
pub(crate) struct View<'w> {
    pub(crate) world: &'w World,
    pub(crate) path: &'w Path,
    pub(crate) text: &'w Text,
    pub(crate) mesh: Option<&'w Mesh>,
}

impl<'w> View<'w> {
    pub(crate) fn offset(&self, position: Position) -> usize {
        self.text.offset(position, self.world.encoding)
    }

    pub(crate) fn range(&self, span: Span) -> Range {
        self.text.range(span, self.world.encoding)
    }

    pub(crate) fn analysis(&self) -> Option<&'w Analysis> {
        self.mesh?.analysis.as_ref()
    }

    pub(crate) fn declarations(&self) -> Option<&'w Declarations> {
        self.analysis().map(|analysis| analysis.declared.declarations.as_ref())
    }

    pub(crate) fn sources(&self) -> Option<&'w SourceMap> {
        self.analysis().map(|analysis| &analysis.sources)
    }

    /// The id of this file in the mesh.
    pub(crate) fn file(&self) -> Option<FileId> {
        self.mesh?.file(self.path)
    }

    pub(crate) fn cursor(&self, offset: usize) -> Cursor {
        cursor::at(self.text, offset)
    }

    pub(crate) fn around(&self, cursor: &Cursor) -> Around {
        kinds::around(&cursor.frames)
    }

    /// The innermost declared thing around a place.
    pub(crate) fn scope(&self, offset: usize) -> Option<EntityId> {
        let (file, sources) = (self.file()?, self.sources()?);
        let mut scope = None;
        let mut blocks: &[Block] = &self.declarations()?.blocks;
        while let Some(block) = blocks.iter().find(|block| {
            let span = sources.original(block.span);
            span.file == file && touches(span, offset)
        }) {
            scope = block.entity.or(scope);
            blocks = block.inner();
        }
        scope
    }

    /// Every file of the mesh with its text: those of the standard library, too.
    pub(crate) fn files(&self) -> Vec<(FileId, PathBuf, Text)> {
        let Some(sources) = self.sources() else { return Vec::new() };
        let files = crate::world::files_of(sources);
        files
            .filter_map(|(id, name)| {
                let text = sources.get(id)?.text();
                Some((id, PathBuf::from(name), Text::new(text)))
            })
            .collect()
    }
}
