//! The open loop: requests come when they come, whatever became of those before.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{sync::mpsc, task::LocalSet};

use super::{Keys, LATE_MAX, Tally, Target, connection::Connection, run};

/// Connections at most. Who finds none free waits, and his time runs.
const CONNECTIONS_MAX: usize = 1_024;
/// Connections that are there before the first request.
const CONNECTIONS_FIRST: usize = 64;
/// The same arrivals in every run.
const SEED: u64 = 0x1417_e210;

/// How an open loop goes.
pub struct Open {
    /// Arrivals a second on average; at random, as customers come (the times between them are exponential).
    pub rate: f64,
    pub warm: Duration,
    pub window: Duration,
}

/// Runs an open loop. Times count from the moment at which a request was due.
pub fn open(target: &Target, keys: &Keys, open: &Open) -> anyhow::Result<Tally> {
    open_each(std::slice::from_ref(target), keys, open)
}

/// The same with several targets at one address, which take turns.
pub fn open_each(targets: &[Target], keys: &Keys, open: &Open) -> anyhow::Result<Tally> {
    run(open.warm + open.window + LATE_MAX, async { LocalSet::new().run_until(go(targets, keys, open)).await })
}

async fn go(targets: &[Target], keys: &Keys, open: &Open) -> anyhow::Result<Tally> {
    let address = targets.first().context("an open loop has a target")?.address;
    let desk = Rc::new(Desk {
        targets: targets.to_vec(),
        address,
        turn: Cell::new(0),
        keys: keys.clone(),
        idle: RefCell::default(),
        waiting: RefCell::default(),
        opened: Cell::new(0),
        tally: RefCell::new(Tally::new()),
        count_from: Instant::now() + open.warm,
    });
    for _ in 0..CONNECTIONS_FIRST {
        let connection = Connection::open(address).await?;
        desk.opened.set(desk.opened.get() + 1);
        desk.idle.borrow_mut().push(connection);
    }
    let (arrive, mut arrivals) = mpsc::unbounded_channel();
    let (rate, whole) = (open.rate, open.warm + open.window);
    let clock = std::thread::spawn(move || keep_time(rate, whole, &arrive));
    let mut under_way = Vec::new();
    while let Some(due) = arrivals.recv().await {
        if let Some(caller) = desk.arrived(due).await? {
            under_way.push(tokio::task::spawn_local(Rc::clone(&desk).serve(caller, due)));
        }
    }
    for served in under_way {
        served.await?;
    }
    clock.join().map_err(|_| anyhow::anyhow!("the clock of the open loop panicked"))?;
    let mut tally = desk.tally.replace(Tally::new());
    tally.window = open.window;
    Ok(tally)
}

/// Says when somebody comes. A thread of its own: the runtime's clock has steps of a millisecond.
fn keep_time(rate: f64, whole: Duration, arrive: &mpsc::UnboundedSender<Instant>) {
    let mut chance = fastrand::Rng::with_seed(SEED);
    let began = Instant::now();
    let mut at = Duration::ZERO;
    loop {
        // The chance is below one, so the logarithm is of something above nought.
        at += Duration::from_secs_f64(-(1.0 - chance.f64()).ln() / rate);
        if at >= whole {
            return;
        }
        let due = began + at;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if arrive.send(due).is_err() {
            return;
        }
    }
}

/// Gives arrivals to connections.
struct Desk {
    targets: Vec<Target>,
    /// Of all of them.
    address: SocketAddr,
    turn: Cell<usize>,
    keys: Keys,
    idle: RefCell<Vec<Connection>>,
    waiting: RefCell<VecDeque<Instant>>,
    opened: Cell<usize>,
    tally: RefCell<Tally>,
    count_from: Instant,
}

impl Desk {
    /// A connection for somebody who was due; none where all are busy, and he waits.
    async fn arrived(&self, due: Instant) -> anyhow::Result<Option<Connection>> {
        let idle = self.idle.borrow_mut().pop();
        if let Some(connection) = idle {
            return Ok(Some(connection));
        }
        if self.opened.get() < CONNECTIONS_MAX {
            self.opened.set(self.opened.get() + 1);
            return Connection::open(self.address).await.map(Some);
        }
        self.waiting.borrow_mut().push_back(due);
        Ok(None)
    }

    /// Serves one, and whoever waits then.
    async fn serve(self: Rc<Self>, mut connection: Connection, mut due: Instant) {
        loop {
            let turn = self.turn.replace(self.turn.get().wrapping_add(1));
            let Some(target) = self.targets.get(turn % self.targets.len()) else { return };
            let reply = connection.exchange(target, &self.keys.take()).await;
            let broken = reply.is_err();
            if due >= self.count_from {
                self.tally.borrow_mut().count(reply, due.elapsed());
            }
            if broken {
                // The next arrival opens another one.
                self.opened.set(self.opened.get() - 1);
                return;
            }
            let next = self.waiting.borrow_mut().pop_front();
            match next {
                Some(next) => due = next,
                None => return self.idle.borrow_mut().push(connection),
            }
        }
    }
}
