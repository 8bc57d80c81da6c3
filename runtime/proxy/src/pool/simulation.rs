//! The pool's state machine against random worlds, one per seed: connections that open, fail, leave and end when they
//! like, other ends that change their minds, clients that go away, and other pools that use up the limits.
//!
//! `MESH_SEEDS=0..100000 cargo test -p meshd-proxy --lib pool::simulation -- --nocapture` runs these seeds; it prints where it
//! is every 10,000 seeds, so that a run that was stopped can go on there. Without the variable it is the first 300.

use super::state::{ConnectionId, Decision, MOST_ABANDONED, Room, Rules, State, StreamId, WaiterId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Numbers that look random: SplitMix64 by Sebastiano Vigna.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn among<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(usize::try_from(self.below(items.len() as u64)).unwrap()).copied()
    }
}

/// A number that is lowered when the permission is dropped.
#[derive(Debug)]
struct Permit(Rc<Cell<u32>>);

impl Permit {
    fn take(counter: &Rc<Cell<u32>>) -> Self {
        counter.set(counter.get() + 1);
        Permit(Rc::clone(counter))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The limits of the upstream, which others use as well.
#[derive(Debug)]
struct Limits {
    connections: Rc<Cell<u32>>,
    waiting: Rc<Cell<u32>>,
    most_connections: u32,
    most_waiting: u32,
    /// What others use of the connections.
    others: Rc<Cell<u32>>,
}

impl Room for Limits {
    type Connection = Permit;
    type Waiting = Permit;
    type Failure = u32;

    fn connection(&self, first: bool) -> Option<Permit> {
        let full = self.connections.get() + self.others.get() >= self.most_connections;
        (first || !full).then(|| Permit::take(&self.connections))
    }

    fn waiting(&self) -> Option<Permit> {
        (self.waiting.get() < self.most_waiting).then(|| Permit::take(&self.waiting))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Opening,
    Open,
    /// Its other end takes no more.
    Left,
    /// It was told to close.
    Closing,
}

#[derive(Debug)]
struct Line {
    life: Life,
    capacity: Option<u32>,
    carried: u32,
    /// Whether it once had too many streams that nobody wants.
    retired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Wanted,
    Abandoned,
    /// To be broken off; whoever wanted it is gone.
    Reset,
}

struct World {
    random: Random,
    state: State<Limits>,
    rules: Rules,
    connections: Rc<Cell<u32>>,
    waiting: Rc<Cell<u32>>,
    others: Rc<Cell<u32>>,
    most_connections: u32,
    now: Instant,
    lines: BTreeMap<ConnectionId, Line>,
    waiters: Vec<WaiterId>,
    streams: BTreeMap<StreamId, (ConnectionId, Fate)>,
    asked: u64,
    answered: u64,
    left: bool,
    /// Whether connections carry many requests, which most clients break off.
    crowded: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let counter = || Rc::new(Cell::new(0));
        let (connections, waiting, others) = (counter(), counter(), counter());
        let crowded = random.chance(20);
        let most_connections = 1 + u32::try_from(random.below(4)).unwrap();
        let limits = Limits {
            connections: Rc::clone(&connections),
            waiting: Rc::clone(&waiting),
            others: Rc::clone(&others),
            most_connections,
            most_waiting: u32::try_from(random.below(if crowded { 60 } else { 6 })).unwrap(),
        };
        let rules = Rules {
            shared: crowded || random.chance(60),
            per_connection: (!crowded && random.chance(40))
                .then(|| 1 + u32::try_from(random.below(5)).unwrap()),
            idle_timeout: Duration::from_secs(60),
        };
        World {
            state: State::new(limits, rules),
            random,
            rules,
            connections,
            waiting,
            others,
            most_connections,
            now: Instant::now(),
            lines: BTreeMap::new(),
            waiters: Vec::new(),
            streams: BTreeMap::new(),
            asked: 0,
            answered: 0,
            left: false,
            crowded,
        }
    }

    fn answer(&mut self, waiter: WaiterId) {
        let position = self.waiters.iter().position(|known| *known == waiter);
        self.waiters.remove(position.expect("only who waits is answered, and once"));
        self.answered += 1;
    }

    /// A request got a place: holds it against the rules.
    fn served(&mut self, id: ConnectionId, stream: StreamId) {
        let now = self.on(id);
        let line = self.lines.get_mut(&id).expect("a known connection");
        assert_eq!(line.life, Life::Open, "nothing is sent on a connection that is not open");
        assert!(!line.retired, "nor on one that had too many streams that nobody wants");
        assert!(now < line.capacity.unwrap_or(0), "never more streams than allowed");
        line.carried += 1;
        assert!(self.rules.per_connection.is_none_or(|most| line.carried <= most));
        assert!(self.streams.insert(stream, (id, Fate::Wanted)).is_none(), "a new stream");
    }

    /// Does what was decided, and holds it against the rules.
    fn obey(&mut self) {
        let bound = 8 + self.waiters.len() * 2 + self.lines.len() * 2 + self.streams.len();
        for step in 0.. {
            let Some(decision) = self.state.decision() else { break };
            assert!(step < bound, "one event leads to a bounded number of decisions");
            match decision {
                Decision::Open(id) => {
                    let line = Line { life: Life::Opening, capacity: None, carried: 0, retired: false };
                    assert!(self.lines.insert(id, line).is_none(), "a new connection");
                }
                Decision::Serve(waiter, id, stream) => {
                    self.answer(waiter);
                    self.served(id, stream);
                }
                Decision::Fail(waiter, _) | Decision::Refuse(waiter) => self.answer(waiter),
                Decision::Reset(stream) => {
                    let (_, fate) = self.streams.get_mut(&stream).expect("what is broken off is there");
                    assert_eq!(*fate, Fate::Abandoned, "only what nobody wants is broken off, and once");
                    *fate = Fate::Reset;
                }
                Decision::Close(id) => {
                    let wanted = self.streams.values().any(|(on, fate)| *on == id && *fate == Fate::Wanted);
                    assert!(!wanted, "nobody's request is on a connection that is closed");
                    let line = self.lines.get_mut(&id).expect("a known connection");
                    assert!(matches!(line.life, Life::Open | Life::Left), "closed once: {:?}", line.life);
                    line.life = Life::Closing;
                }
            }
        }
        for id in self.lines.keys().copied().collect::<Vec<_>>() {
            let too_many = self.abandoned(id) > MOST_ABANDONED;
            if let Some(line) = self.lines.get_mut(&id) {
                line.retired |= too_many;
            }
        }
        self.check();
    }

    /// How many streams are on a connection.
    fn on(&self, id: ConnectionId) -> u32 {
        u32::try_from(self.streams.values().filter(|(on, _)| *on == id).count()).unwrap()
    }

    /// How many of them nobody wants.
    fn abandoned(&self, id: ConnectionId) -> usize {
        self.streams.values().filter(|(on, fate)| *on == id && *fate == Fate::Abandoned).count()
    }

    /// What holds after every event.
    fn check(&self) {
        assert!(self.state.is_consistent(), "what is kept of all connections together is true");
        let spent = |line: &Line| self.rules.per_connection.is_some_and(|most| line.carried >= most);
        let open = || self.lines.iter().filter(|(_, line)| line.life == Life::Open && !spent(line));
        assert_eq!(self.connections.get() as usize, self.lines.len(), "one permission for each connection");
        assert!(self.waiting.get() as usize <= self.waiters.len(), "one permission for each that waits");
        if !self.waiters.is_empty() {
            for (id, line) in open() {
                let full = self.on(*id) >= line.capacity.unwrap_or(0);
                assert!(full || line.retired, "nobody waits beside a connection with room");
            }
            let promises = self
                .lines
                .values()
                .filter(|line| match line.life {
                    Life::Opening => true,
                    Life::Open => line.capacity.is_none() && !spent(line) && !line.retired,
                    Life::Left | Life::Closing => false,
                })
                .count();
            let barred = open().any(|(_, line)| line.capacity == Some(0) && !line.retired);
            let full = self.connections.get() + self.others.get() >= self.most_connections;
            let needed = if self.rules.shared { 1 } else { self.waiters.len() };
            assert!(full || barred || promises >= needed, "who waits waits for something that will come");
            assert!(!self.lines.is_empty(), "without a connection, one is opened");
        }
        if self.left && self.waiters.is_empty() {
            for (id, line) in open() {
                let wanted = self.streams.values().any(|(on, fate)| on == id && *fate != Fate::Abandoned);
                assert!(wanted, "an unwanted pool keeps no unused connection: {line:?}");
            }
        }
    }

    fn lines_in(&self, life: Life) -> Vec<ConnectionId> {
        self.lines.iter().filter(|(_, line)| line.life == life).map(|(id, _)| *id).collect()
    }

    fn end(&mut self, stream: StreamId, well: bool) {
        if let Some((id, _)) = self.streams.remove(&stream) {
            self.state.finished(id, stream, well, self.now);
        }
    }

    fn opens(&mut self, id: ConnectionId) {
        let line = self.lines.get_mut(&id).unwrap();
        line.life = Life::Open;
        line.capacity = if self.rules.shared { None } else { Some(1) };
        self.state.opened(id, self.now);
    }

    fn tells(&mut self, id: ConnectionId, capacity: u32) {
        self.lines.get_mut(&id).unwrap().capacity = Some(capacity);
        self.state.allowed(id, capacity, self.now);
    }

    fn vanishes(&mut self, id: ConnectionId) {
        self.lines.remove(&id);
        self.state.gone(id, self.now);
        // Those whose requests were on it notice afterwards.
        let streams = self.streams.iter().filter(|(_, (on, _))| *on == id).map(|(stream, _)| *stream);
        for stream in streams.collect::<Vec<_>>() {
            self.obey();
            self.end(stream, false);
        }
    }

    fn happens(&mut self) {
        self.now += Duration::from_millis(self.random.below(40));
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        let mut event = self.random.below(100);
        if self.crowded && (62..96).contains(&event) && self.random.chance(80) {
            event = 80;
        }
        match event {
            0..35 => {
                self.asked += 1;
                // Whoever asks may look first whether there is a place, or not.
                let place = if self.random.chance(50) { self.state.take() } else { None };
                match place {
                    Some((id, stream)) => {
                        self.answered += 1;
                        self.served(id, stream);
                    }
                    None => {
                        let waiter = self.state.ask(self.now);
                        self.waiters.push(waiter);
                    }
                }
            }
            35..40 => {
                if let Some(waiter) = self.random.among(&self.waiters.clone()) {
                    self.answer(waiter);
                    self.state.cancel(waiter, self.now);
                }
            }
            40..55 => {
                if let Some(id) = self.random.among(&self.lines_in(Life::Opening)) {
                    if self.random.chance(75) {
                        self.opens(id);
                    } else {
                        self.lines.remove(&id);
                        let told =
                            if self.rules.shared { self.waiters.len() } else { 1.min(self.waiters.len()) };
                        let before = self.answered;
                        self.state.failed(id, &7, self.now);
                        self.obey();
                        assert_eq!(self.answered - before, told as u64, "who waited for it hears of it");
                    }
                }
            }
            55..62 => {
                if let Some(id) = self.random.among(&self.lines_in(Life::Open)).filter(|_| self.rules.shared)
                {
                    let most = if self.crowded { 60 } else { 6 };
                    let capacity = u32::try_from(self.random.below(most)).unwrap();
                    let capacity = if self.random.chance(10) { u32::MAX } else { capacity };
                    self.tells(id, capacity);
                }
            }
            62..80 => {
                if let Some(stream) = self.random.among(&streams) {
                    let reset = self.streams[&stream].1 == Fate::Reset;
                    let well = !reset && self.random.chance(90);
                    self.end(stream, well);
                }
            }
            80..88 => {
                let wanted: Vec<StreamId> =
                    streams.into_iter().filter(|stream| self.streams[stream].1 == Fate::Wanted).collect();
                if let Some(stream) = self.random.among(&wanted).filter(|_| self.rules.shared) {
                    let (id, fate) = self.streams.get_mut(&stream).unwrap();
                    *fate = Fate::Abandoned;
                    self.state.abandon(*id, stream, self.random.chance(30), self.now);
                }
            }
            88..91 => {
                if let Some(id) = self.random.among(&self.lines_in(Life::Open)) {
                    self.lines.get_mut(&id).unwrap().life = Life::Left;
                    self.state.leaves(id, self.now);
                }
            }
            91..95 => {
                let all: Vec<ConnectionId> = self
                    .lines
                    .iter()
                    .filter(|(_, line)| line.life != Life::Opening)
                    .map(|(id, _)| *id)
                    .collect();
                if let Some(id) = self.random.among(&all) {
                    self.vanishes(id);
                }
            }
            95..97 => {
                if let Some(at) = self.state.next_tick() {
                    self.now = self.now.max(at);
                }
                self.state.tick(self.now);
            }
            97..99 => {
                self.others
                    .set(u32::try_from(self.random.below(u64::from(self.most_connections) + 1)).unwrap());
                self.now += Duration::from_secs(self.random.below(90));
                self.state.sweep(self.now);
            }
            _ => {
                if self.random.chance(20) {
                    self.left = true;
                    self.state.leave(self.now);
                }
            }
        }
        self.obey();
    }

    /// Everybody does what is his to do, until nothing is left.
    fn ends(&mut self) {
        self.others.set(0);
        for _ in 0..10_000 {
            for id in self.lines_in(Life::Opening) {
                self.opens(id);
                self.obey();
            }
            for id in self.lines_in(Life::Open) {
                if self.rules.shared && self.lines[&id].capacity.is_none_or(|capacity| capacity == 0) {
                    self.tells(id, 2);
                    self.obey();
                }
            }
            for stream in self.streams.keys().copied().collect::<Vec<_>>() {
                self.end(stream, true);
                self.obey();
            }
            for id in [self.lines_in(Life::Closing), self.lines_in(Life::Left)].concat() {
                if self.on(id) == 0 {
                    self.vanishes(id);
                    self.obey();
                }
            }
            if self.waiters.is_empty() && self.streams.is_empty() {
                break;
            }
        }
        assert_eq!(self.asked, self.answered, "everybody was answered once");
        self.left = true;
        self.state.leave(self.now);
        self.obey();
        for id in self.lines_in(Life::Opening) {
            self.opens(id);
            self.obey();
        }
        for id in self.lines.keys().copied().collect::<Vec<_>>() {
            assert!(self.lines[&id].life != Life::Open, "what nobody uses was closed");
            self.vanishes(id);
            self.obey();
        }
        assert!(self.state.is_empty());
        assert_eq!((self.connections.get(), self.waiting.get()), (0, 0), "every permission was given back");
    }
}

/// Which seeds to run.
fn seeds() -> Range<u64> {
    match std::env::var("MESH_SEEDS") {
        Err(_) => 0..300,
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("MESH_SEEDS is like 0..100000");
            from.parse().unwrap()..to.parse().unwrap()
        }
    }
}

#[test]
fn every_request_is_answered_once_within_the_limits() {
    for seed in seeds() {
        if seed % 10_000 == 0 && seed > 0 {
            println!("seed {seed}");
        }
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            let steps = 50 + world.random.below(400);
            (0..steps).for_each(|_| world.happens());
            world.ends();
        });
        assert!(run.is_ok(), "seed {seed}: MESH_SEEDS={seed}..{} runs it alone", seed + 1);
    }
}
