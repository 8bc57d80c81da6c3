//! What blocks at the top level came to, for the next evaluation, in which most of them are the same.
//!
//! What a block comes to depends on its tree and on the names that there are. If it has no mistake, and puts no value of another
//! block into a string, it depends on nothing else: where names are declared is only said in reports. So it is taken
//! again while its tree is the same, with its places, and all entities have the kinds, names and parents that they had.

use std::sync::Arc;

use lang_diagnostics::Span;
use lang_syntax::ast;
use rustc_hash::FxHashMap;

use crate::declarations::EntityId;
use crate::evaluator::Evaluated;
use crate::names::Names;
use crate::schema::Kind;

/// What is kept from one evaluation to the next.
#[derive(Debug, Default)]
pub struct Memory {
    /// The entities that there were.
    entities: Vec<Known>,
    /// The trees whose blocks are known.
    trees: Vec<Arc<ast::File>>,
    /// By the place of the block's word.
    blocks: FxHashMap<Span, Remembered>,
}

/// Where a block stands among the trees, and what it came to.
#[derive(Debug)]
struct Remembered {
    tree: usize,
    item: usize,
    evaluated: Arc<Evaluated>,
}

/// An entity, as far as the blocks that name it depend on it.
#[derive(Debug)]
struct Known {
    kind: &'static Kind,
    name: String,
    parent: Option<EntityId>,
}

impl Memory {
    /// What a block came to, if it comes to the same with these names: see [`knows`](Self::knows).
    pub(crate) fn block(&self, block: &ast::Block) -> Option<Arc<Evaluated>> {
        let known = self.blocks.get(&block.kind.span)?;
        let ast::Item::Block(before) = self.trees.get(known.tree)?.items.get(known.item)? else {
            return None;
        };
        // A file that did not change has the tree that it had; what was expanded is made anew.
        let same = std::ptr::eq(before, block) || before == block;
        same.then(|| Arc::clone(&known.evaluated))
    }

    /// Whether there are the same names as the last time.
    pub(crate) fn knows(&self, names: &Names) -> bool {
        names.are_sound()
            && self.entities.len() == names.entities.len()
            && self.entities.iter().zip(&names.entities).all(|(known, entity)| {
                std::ptr::eq(known.kind, entity.kind)
                    && known.parent == entity.parent
                    && known.name == entity.name
            })
    }

    /// Remembers what the blocks of these trees came to; those that depend on more are absent. Where names are missing or taken,
    /// what is known already is likelier to be of use.
    pub(crate) fn remember<'b>(
        &mut self,
        trees: &[Arc<ast::File>],
        names: &Names,
        blocks: impl Iterator<Item = (&'b ast::Block, Arc<Evaluated>)>,
    ) {
        if !names.are_sound() {
            return;
        }
        if !self.knows(names) {
            let known = names.entities.iter().map(|entity| Known {
                kind: entity.kind,
                name: entity.name.clone(),
                parent: entity.parent,
            });
            self.entities = known.collect();
        }
        let known: FxHashMap<usize, Arc<Evaluated>> =
            blocks.map(|(block, evaluated)| (address(block), evaluated)).collect();
        self.blocks.clear();
        for (tree, file) in trees.iter().enumerate() {
            for (item, one) in file.items.iter().enumerate() {
                let ast::Item::Block(block) = one else { continue };
                if let Some(evaluated) = known.get(&address(block)) {
                    let evaluated = Arc::clone(evaluated);
                    self.blocks.insert(block.kind.span, Remembered { tree, item, evaluated });
                }
            }
        }
        self.trees = trees.to_vec();
    }
}

fn address(block: &ast::Block) -> usize {
    std::ptr::from_ref(block).addr()
}
