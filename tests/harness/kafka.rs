//! A Kafka cluster within the test: the one that librdkafka brings along. Hosts connect to it over loopback.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Headers as _, OwnedMessage},
    mocking::MockCluster,
    producer::DefaultProducerContext,
};

/// How long the cluster may take to answer one question.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The cluster. It ends with the test.
pub struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: String,
}

/// A message as the topic has it.
#[derive(Clone, Debug)]
pub struct Record {
    pub partition: i32,
    pub id: String,
    pub kind: String,
    pub merchant: String,
    pub key: String,
    pub body: String,
}

impl Kafka {
    /// So many brokers with one topic.
    pub fn start(brokers: i32, topic: &str, partitions: i32) -> Self {
        let cluster = MockCluster::new(brokers).expect("a cluster needs no more than ports");
        cluster.create_topic(topic, partitions, brokers).expect("it is new");
        Self { cluster, topic: topic.to_owned() }
    }

    /// The table of a sink that publishes to it, with `more` lines.
    pub fn table(&self, name: &str, more: &str) -> String {
        let (servers, topic) = (self.cluster.bootstrap_servers(), &self.topic);
        format!("[sinks.{name}]\nkind = \"kafka\"\nservers = \"{servers}\"\ntopic = \"{topic}\"\n{more}\n")
    }

    /// What misbehaves at the test's word.
    pub fn cluster(&self) -> &MockCluster<'static, DefaultProducerContext> {
        &self.cluster
    }

    /// All that the topic has: partition by partition, each in its order. Every broker must be up.
    pub async fn records(&self) -> Vec<Record> {
        let (servers, topic) = (self.cluster.bootstrap_servers(), self.topic.clone());
        let read = tokio::task::spawn_blocking(move || read(&servers, &topic));
        read.await.expect("reading does not panic").unwrap_or_else(|error| panic!("Kafka: {error}"))
    }
}

fn read(servers: &str, topic: &str) -> Result<Vec<Record>, rdkafka::error::KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "a-test")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_MAX)?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let mut assigned = TopicPartitionList::new();
    let mut wanted = 0;
    for partition in 0..i32::try_from(partitions).expect("few") {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_MAX)?;
        wanted += usize::try_from(high - low).expect("offsets grow");
        assigned.add_partition_offset(topic, partition, Offset::Offset(low))?;
    }
    consumer.assign(&assigned)?;
    let mut messages = Vec::new();
    while messages.len() < wanted {
        let message = consumer.poll(ANSWER_MAX).expect("the topic has more than came")?;
        messages.push(message.detach());
    }
    // Those of one partition come in its order.
    messages.sort_by_key(rdkafka::Message::partition);
    Ok(messages.iter().map(record).collect())
}

fn record(message: &OwnedMessage) -> Record {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let header = |name: &str| {
        let headers = message.headers().expect("they come with every message");
        text(headers.iter().find(|header| header.key == name).and_then(|header| header.value))
    };
    Record {
        partition: message.partition(),
        id: header("id"),
        kind: header("type"),
        merchant: header("merchant"),
        key: text(message.key()),
        body: text(message.payload()),
    }
}
