//! What a data-plane backend hands to whoever runs the proxy.

use std::collections::BTreeMap;

use crate::ProxyName;

/// In which form a backend writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rendering {
    /// A small constant start-up file; everything else in files that the proxy watches.
    Watched,
    /// Everything in one file, apart from certificates.
    Static,
}

/// The files of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedProxy {
    /// The proxy.
    pub proxy: ProxyName,
    /// File name below [`crate::paths::CONFIG`] → contents. They go into one ConfigMap.
    pub files: BTreeMap<String, String>,
    /// Which of the files the proxy is started with.
    pub entry: String,
    /// With which of the files the same program is started once more, beside the proxy, to drain it before it ends.
    /// `None` where the proxy drains by itself.
    pub drain: Option<String>,
    /// How many inotify instances the proxy opens. Linux admits few for each user by default.
    pub inotify_instances: u32,
}
