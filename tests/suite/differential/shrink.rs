//! The smallest case that still differs in the same way, as far as it is found in reasonable time.

use std::fmt::Write as _;

use crate::requests::Step;
use crate::run::{Case, Difference, Verdict, compare, refused};
use crate::text::{without_one, written};

/// How many smaller cases are run.
const TRIES: usize = 60;

/// A case and its difference.
pub(crate) struct Small {
    case: Case,
    difference: Difference,
}

/// The case as it is, for those who do not wait.
pub(crate) fn whole(case: &Case, difference: &Difference) -> Small {
    Small { case: case.clone(), difference: difference.clone() }
}

/// Leaves out steps, and then parts of the mesh, for as long as something differs.
pub(crate) fn small(case: &Case, difference: &Difference) -> Small {
    let mut small = Small { case: case.clone(), difference: difference.clone() };
    let mut left = TRIES;
    if let Some(last) = difference.step {
        small.case.steps.truncate(last + 1);
        // Alone; or else after what failed and healed.
        let alone = small.case.steps[last..].to_vec();
        let failures = |step: &Step| !matches!(step, Step::Ask { .. });
        let mut after: Vec<Step> =
            small.case.steps[..last].iter().filter(|step| failures(step)).cloned().collect();
        after.extend(alone.iter().cloned());
        let _ = small.accept(Case { steps: alone, ..small.case.clone() }, &mut left)
            || small.accept(Case { steps: after, ..small.case.clone() }, &mut left);
    }
    loop {
        let variants = without_one(&small.case.mesh);
        let steps = small.case.steps.clone();
        let valid = variants.into_iter().filter(|mesh| refused(mesh).is_none());
        let mut cases = valid.map(|mesh| Case { mesh, steps: steps.clone() });
        if left == 0 || !cases.any(|case| small.accept(case, &mut left)) {
            return small;
        }
    }
}

impl Small {
    /// Takes a case's place if it differs as well.
    fn accept(&mut self, case: Case, left: &mut usize) -> bool {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match compare(&case) {
            Verdict::Differs(difference) if difference.step.is_some() == self.difference.step.is_some() => {
                *self = Small { case, difference };
                true
            }
            Verdict::Differs(_) | Verdict::Refused(_) | Verdict::Same { .. } => false,
        }
    }

    /// For people.
    pub(crate) fn report(&self, seed: u64) -> String {
        let Difference { step, envoy, meshd } = &self.difference;
        let mut text = format!("--- seed {seed}: MESH_SEEDS={seed}..{} runs it alone\n", seed + 1);
        text.push_str(&written(&self.case.mesh));
        let last = step.map_or(0, |step| step + 1);
        for step in &self.case.steps[..last] {
            let _ = writeln!(text, "> {step}");
        }
        let _ = writeln!(text, "envoy: {envoy}\nmeshd: {meshd}");
        text
    }
}
