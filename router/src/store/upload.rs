//! A deploy that the store has begun to keep. Unless it becomes a version it is dropped, whatever becomes of who made it: its
//! bytes count for nobody, and the store would keep them for an hour.

use std::time::Duration;

use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{AskError, Store};

/// Between two tries to drop one, of a store that is too slow to answer.
const PAUSE: Duration = Duration::from_secs(5);
/// How long it is tried: then the store drops it by itself.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// One upload.
#[derive(Debug)]
pub struct Upload {
    store: Store,
    number: u64,
    is_over: bool,
}

impl Upload {
    /// Begins one.
    ///
    /// # Errors
    /// Any [`AskError`].
    pub async fn begin(store: &Store) -> Result<Self, AskError> {
        let number = store.begin().await?;
        Ok(Self { store: store.clone(), number, is_over: false })
    }

    /// The store's number for it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// It is a version now.
    pub fn keep(mut self) {
        self.is_over = true;
    }

    /// Drops it, so that nothing of it is kept when this is done; where the store does not do that in time, it is tried on.
    pub async fn abort(mut self) {
        self.is_over = self.store.abort(self.number).await.is_ok();
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Without a runtime the router is at its end, and the next store drops it at its start.
        let Ok(runtime) = Handle::try_current() else { return };
        let (store, number) = (self.store.clone(), self.number);
        runtime.spawn(async move {
            let since = Instant::now();
            while store.abort(number).await.is_err() && since.elapsed() < PATIENCE {
                sleep(PAUSE).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fazt_protocol::{
        body::Part,
        fd,
        grant::GrantKey,
        pipe::asynchronous::{Pipe, Reader, Writer},
        registry::{Answer, Ask, FromStore, ToStore},
    };
    use tokio::{sync::watch, time::timeout};

    use super::{
        super::link::{Link, tests::status},
        *,
    };

    type Peer = (Reader<ToStore>, Writer<FromStore>);

    /// A store of which the test is the other end.
    fn store() -> (Store, watch::Sender<Option<Arc<Link>>>, Peer) {
        let (ours, theirs) = fd::pair().unwrap();
        let (mut reader, writer) = Pipe::<FromStore, ToStore>::plain(ours).unwrap().split();
        let link = Arc::new(Link::new(writer, GrantKey::new([1; 32]), status()));
        let hearing = Arc::clone(&link);
        tokio::spawn(async move { hearing.hear(&mut reader).await });
        let (sender, changes) = watch::channel(Some(link));
        (Store::new(changes), sender, Pipe::<ToStore, FromStore>::plain(theirs).unwrap().split())
    }

    /// The next question, where one comes within an hour.
    async fn asked(reader: &mut Reader<ToStore>) -> Option<(u64, Ask)> {
        match timeout(PATIENCE, reader.receive()).await.ok()?.unwrap() {
            ToStore::Ask { correlation, ask, .. } => Some((correlation, *ask)),
            other => panic!("{other:?}"),
        }
    }

    async fn begun((reader, writer): &mut Peer, store: &Store) -> Upload {
        let answering = async {
            let (correlation, ask) = asked(reader).await.unwrap();
            assert_eq!(ask, Ask::Begin);
            let outcome = Ok(Box::new(Answer::Upload(7)));
            writer.send(&FromStore::Answer { correlation, spent_us: 0, outcome, body: Part::empty() }).await.unwrap();
        };
        tokio::join!(Upload::begin(store), answering).0.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_is_dropped_however_slow_the_store_is() {
        let (store, _link, mut peer) = store();
        let upload = begun(&mut peer, &store).await;
        drop(upload);
        let (reader, writer) = &mut peer;
        // The first two are answered by nobody.
        for _ in 0..2 {
            assert_eq!(asked(reader).await.unwrap().1, Ask::Abort { upload: 7 });
        }
        let (correlation, ask) = asked(reader).await.unwrap();
        assert_eq!(ask, Ask::Abort { upload: 7 });
        let outcome = Ok(Box::new(Answer::Done));
        writer.send(&FromStore::Answer { correlation, spent_us: 0, outcome, body: Part::empty() }).await.unwrap();
        assert_eq!(asked(reader).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_became_a_version_is_left_alone() {
        let (store, _link, mut peer) = store();
        begun(&mut peer, &store).await.keep();
        assert_eq!(asked(&mut peer.0).await, None);
    }
}
