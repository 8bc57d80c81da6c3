//! What each proxy must do, in terms that belong to no data plane.
