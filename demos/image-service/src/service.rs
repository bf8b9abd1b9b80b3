//! The service as a value: started on an address, stopped by draining.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use crate::accelerator::{Accelerator, Devices};
use crate::app::App;
use crate::events::Entry;
use crate::gate::Gate;
use crate::meter::{Counts, Meter};
use crate::{Picture, live, routes};

/// How long running requests may take to end once the service stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// What a service is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Most filters that run at once.
    pub concurrency: usize,
    /// How devices come.
    pub devices: Devices,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No threads for the service.
    #[error("cannot start the service's threads: {0}")]
    Threads(std::io::Error),
    /// The engine did not start.
    #[error("{0}")]
    Engine(#[from] hotsled::Error),
}

/// A running service; dropping it drains as [`Service::stop`] does.
#[must_use = "a service ends when it is dropped"]
pub struct Service {
    address: SocketAddr,
    app: Arc<App>,
    running: Option<(oneshot::Sender<()>, JoinHandle<bool>)>,
}

impl Service {
    /// Listens, starts the engine and serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let listener = listen(config.listen)?;
        let address = listener.local_addr().map_err(StartError::Threads)?;
        let runtime = Runtime::new().map_err(StartError::Threads)?;
        let (publish, live) = watch::channel(Arc::from("{}"));
        let app = Arc::new(new_app(&config, live)?);
        let (stop, stopped) = oneshot::channel();
        let shared = app.clone();
        let serve = move || runtime.block_on(serve(listener, shared, publish, stopped));
        let thread = std::thread::Builder::new()
            .name("image-service".into())
            .spawn(serve)
            .map_err(StartError::Threads)?;
        Ok(Self {
            address,
            app,
            running: Some((stop, thread)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine and its devices.
    pub fn accelerator(&self) -> &Accelerator {
        &self.app.accelerator
    }

    /// Plugs, unplugs, losses and refusals so far, oldest first.
    pub fn events(&self) -> Vec<Entry> {
        self.app.accelerator.view().events
    }

    /// When it started; all its times count from here.
    pub fn started(&self) -> Instant {
        self.app.start
    }

    /// Takes no new request, lets the running ones end, then retires every device.
    ///
    /// Returns the final counts, and whether everything ended in time.
    pub fn stop(mut self) -> (Counts, bool) {
        let drained = self.drain();
        (self.app.meter.counts(), drained)
    }

    fn drain(&mut self) -> bool {
        let Some((stop, thread)) = self.running.take() else {
            return true;
        };
        // The thread is gone already if it panicked; then there is nobody to tell.
        let _ = stop.send(());
        thread.join().unwrap_or(false)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.drain();
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|source| StartError::Listen { address, source })
}

fn new_app(config: &Config, live: watch::Receiver<Arc<str>>) -> Result<App, StartError> {
    let start = Instant::now();
    let sample = Picture::decode(routes::SAMPLE).expect("the built-in photograph is sound");
    Ok(App {
        start,
        sample: Arc::new(sample),
        accelerator: Accelerator::start(&config.devices, start)?,
        meter: Meter::default(),
        gate: Gate::new(config.concurrency),
        samples: Mutex::default(),
        live,
    })
}

/// Serves until told to stop; returns whether every request ended in time.
async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    publish: watch::Sender<Arc<str>>,
    stopped: oneshot::Receiver<()>,
) -> bool {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    let sampler = tokio::spawn(live::sample(app.clone(), publish));
    let (ending, mut ended) = watch::channel(());
    let shutdown = async move {
        // An error means that the `Service` was dropped: end as well.
        let _ = stopped.await;
        // Ends the sampler and, with its sender gone, every event stream.
        sampler.abort();
        drop(ending);
    };
    let server = axum::serve(listener, routes::router(app)).with_graceful_shutdown(shutdown);
    let late = async {
        while ended.changed().await.is_ok() {}
        tokio::time::sleep(DRAIN_DEADLINE).await;
    };
    tokio::select! {
        result = server => result.is_ok(),
        () = late => false,
    }
}
