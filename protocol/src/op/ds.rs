//! Ops on documents. Documents, queries and changes are JSON text, in the body.

use serde::{Deserialize, Serialize};

use crate::{
    bounded,
    limit::{COLLECTION_BYTES, FIELD_PATH_BYTES, ORDER_FIELDS},
};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// The collection.
    #[serde(deserialize_with = "bounded::text::<_, COLLECTION_BYTES>")]
    pub collection: String,
    /// What to do with it.
    pub verb: Verb,
}

/// What to do with a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// The body is a document: `Json`, its id.
    Insert,
    /// The body is an array of documents: `Json`, their ids. All or none.
    InsertMany,
    /// The body is a query: `Json`, an array of documents.
    Find {
        /// The most documents.
        limit: u32,
        /// How many to pass over.
        offset: u32,
        /// Fields by which to order; newest first where there are none.
        #[serde(deserialize_with = "bounded::list::<_, _, ORDER_FIELDS>")]
        order: Vec<Order>,
    },
    /// The body is an id (a JSON string) or a query: `Json`, a document, or `Nothing`.
    FindOne,
    /// The body is `{ "query": id or query, "changes": {…} }`: `Number`, how many changed.
    Update,
    /// The body is an id or a query: `Number`, how many were removed.
    Delete,
    /// The body is a query: `Number`.
    Count,
}

/// One field of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// A dotted path.
    #[serde(deserialize_with = "bounded::text::<_, FIELD_PATH_BYTES>")]
    pub path: String,
    /// From large to small.
    pub descending: bool,
}

impl Op {
    /// The name in traces and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.verb {
            Verb::Insert => "ds.insert",
            Verb::InsertMany => "ds.insertMany",
            Verb::Find { .. } => "ds.find",
            Verb::FindOne => "ds.findOne",
            Verb::Update => "ds.update",
            Verb::Delete => "ds.delete",
            Verb::Count => "ds.count",
        }
    }

    /// Whether it may change anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb, Verb::Insert | Verb::InsertMany | Verb::Update | Verb::Delete)
    }

    /// The collection.
    #[must_use]
    pub fn collection(&self) -> &str {
        &self.collection
    }
}
