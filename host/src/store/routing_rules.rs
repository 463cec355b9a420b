//! Routing rules, and what routing needs of a merchant in one read: its rules and its accounts.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Error,
    gateway_accounts::{self, ACCOUNTS_MAX, GatewayAccount},
};
use crate::domain::{
    id::{GatewayAccountId, MerchantId, RoutingRuleId},
    routing::{Conditions, Rule, Weighed},
};

/// The merchant's rules at most: all of them are read for every payment.
pub const RULES_MAX: i64 = 100;
/// The last place that a rule may have, as the schema has it.
pub const POSITION_MAX: i32 = 1_000_000;

/// A row of `routing_rules`.
#[derive(Clone)]
pub struct RoutingRule {
    pub merchant_id: Uuid,
    pub routing_rule_id: Uuid,
    pub name: String,
    pub enabled: bool,
    /// Lower is asked first; ties by time of creation.
    pub position: i32,
    pub conditions: Conditions,
    pub accounts: Vec<Weighed>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl RoutingRule {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> RoutingRuleId {
        RoutingRuleId::from_uuid(self.routing_rule_id)
    }

    /// What decides about payments.
    #[must_use]
    pub fn into_rule(self) -> Rule {
        let id = self.id();
        let Self { name, position, conditions, accounts, .. } = self;
        Rule { id, name, position, conditions, accounts }
    }

    fn account_ids(&self) -> Vec<Uuid> {
        self.accounts.iter().map(|weighed| weighed.account.uuid()).collect()
    }

    fn weights(&self) -> Vec<Option<i32>> {
        self.accounts.iter().map(|weighed| weighed.weight).collect()
    }
}

/// The columns of a [`RoutingRule`], under names that no other table has: they are read beside those of accounts.
macro_rules! columns {
    () => {
        "merchant_id as rule_merchant_id, routing_rule_id, name as rule_name, enabled as rule_enabled, position as rule_position,
                amount_min as rule_amount_min, amount_max as rule_amount_max, currencies as rule_currencies,
                methods as rule_methods, bin_prefixes as rule_bin_prefixes, countries as rule_countries,
                gateway_accounts as rule_accounts, weights as rule_weights, version as rule_version,
                created_at as rule_created_at, updated_at as rule_updated_at"
    };
}

impl FromRow<'_, PgRow> for RoutingRule {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let accounts: Vec<Uuid> = row.try_get("rule_accounts")?;
        let weights: Vec<Option<i32>> = row.try_get("rule_weights")?;
        let accounts = accounts.into_iter().zip(weights);
        Ok(Self {
            merchant_id: row.try_get("rule_merchant_id")?,
            routing_rule_id: row.try_get("routing_rule_id")?,
            name: row.try_get("rule_name")?,
            enabled: row.try_get("rule_enabled")?,
            position: row.try_get("rule_position")?,
            conditions: Conditions {
                amount_min: row.try_get("rule_amount_min")?,
                amount_max: row.try_get("rule_amount_max")?,
                currencies: row.try_get("rule_currencies")?,
                methods: row.try_get("rule_methods")?,
                bin_prefixes: row.try_get("rule_bin_prefixes")?,
                countries: row.try_get("rule_countries")?,
            },
            accounts: accounts
                .map(|(account, weight)| Weighed { account: GatewayAccountId::from_uuid(account), weight })
                .collect(),
            version: row.try_get("rule_version")?,
            created_at: row.try_get("rule_created_at")?,
            updated_at: row.try_get("rule_updated_at")?,
        })
    }
}

/// What decides where a merchant's payments go.
pub struct Routing {
    /// All that are not deleted, disabled ones too: by priority, then by time of creation.
    pub accounts: Vec<GatewayAccount>,
    /// The enabled ones, in the order in which they are asked.
    pub rules: Vec<Rule>,
}

/// Rules and accounts in one round trip: the n-th row holds the n-th of each, as far as there are so many.
pub async fn routing(conn: &mut PgConnection, merchant: MerchantId) -> Result<Routing, Error> {
    let rows = sqlx::query(concat!(
        "-- store::routing_rules::routing
         with account as (
            select ",
        gateway_accounts::columns!(),
        ",
                   row_number() over (order by priority, created_at, gateway_account_id) as n
              from gateway_accounts
             where merchant_id = $1 and deleted_at is null
             order by n
             limit $2),
         rule as (
            select ",
        columns!(),
        ",
                   row_number() over (order by position, created_at, routing_rule_id) as n
              from routing_rules
             where merchant_id = $1 and enabled
             order by n
             limit $3)
         select n, ",
        gateway_accounts::columns!(),
        ",
                rule_merchant_id, routing_rule_id, rule_name, rule_enabled, rule_position, rule_amount_min, rule_amount_max,
                rule_currencies, rule_methods, rule_bin_prefixes, rule_countries, rule_accounts, rule_weights,
                rule_version, rule_created_at, rule_updated_at
           from account full join rule using (n)
          order by n",
    ))
    .bind(merchant.uuid())
    .bind(ACCOUNTS_MAX)
    .bind(RULES_MAX)
    .fetch_all(conn)
    .await?;
    let mut routing = Routing { accounts: Vec::new(), rules: Vec::new() };
    for row in &rows {
        if row.try_get::<Option<Uuid>, _>("gateway_account_id")?.is_some() {
            routing.accounts.push(GatewayAccount::from_row(row)?);
        }
        if row.try_get::<Option<Uuid>, _>("routing_rule_id")?.is_some() {
            routing.rules.push(RoutingRule::from_row(row)?.into_rule());
        }
    }
    Ok(routing)
}

/// Inserts one rule, unless the merchant has [`RULES_MAX`] of them: returns whether it did. Two that are made at once may
/// both pass at the limit, which is a bound and not a promise.
pub async fn insert(conn: &mut PgConnection, rule: &RoutingRule) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::routing_rules::insert
         insert into routing_rules (merchant_id, routing_rule_id, name, enabled, position, amount_min, amount_max, currencies,
                                    methods, bin_prefixes, countries, gateway_accounts, weights, version, created_at, updated_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
          where (select count(*) from routing_rules where merchant_id = $1) < $17",
    )
    .bind(rule.merchant_id)
    .bind(rule.routing_rule_id)
    .bind(&rule.name)
    .bind(rule.enabled)
    .bind(rule.position)
    .bind(rule.conditions.amount_min)
    .bind(rule.conditions.amount_max)
    .bind(&rule.conditions.currencies)
    .bind(&rule.conditions.methods)
    .bind(&rule.conditions.bin_prefixes)
    .bind(&rule.conditions.countries)
    .bind(rule.account_ids())
    .bind(rule.weights())
    .bind(rule.version)
    .bind(rule.created_at)
    .bind(rule.updated_at)
    .bind(RULES_MAX)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a rule as it now is, where nobody has written it since `expected_version`: returns whether it did.
pub async fn update(conn: &mut PgConnection, rule: &RoutingRule, expected_version: i32) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::routing_rules::update
         update routing_rules
            set name = $4, enabled = $5, position = $6, amount_min = $7, amount_max = $8, currencies = $9, methods = $10,
                bin_prefixes = $11, countries = $12, gateway_accounts = $13, weights = $14, version = $15, updated_at = $16
          where merchant_id = $1 and routing_rule_id = $2 and version = $3",
    )
    .bind(rule.merchant_id)
    .bind(rule.routing_rule_id)
    .bind(expected_version)
    .bind(&rule.name)
    .bind(rule.enabled)
    .bind(rule.position)
    .bind(rule.conditions.amount_min)
    .bind(rule.conditions.amount_max)
    .bind(&rule.conditions.currencies)
    .bind(&rule.conditions.methods)
    .bind(&rule.conditions.bin_prefixes)
    .bind(&rule.conditions.countries)
    .bind(rule.account_ids())
    .bind(rule.weights())
    .bind(rule.version)
    .bind(rule.updated_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a rule: one row, or none where there is no such rule. Returns whether it did.
pub async fn delete(conn: &mut PgConnection, merchant: MerchantId, rule: RoutingRuleId) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::routing_rules::delete
         delete from routing_rules
          where merchant_id = $1 and routing_rule_id = $2",
    )
    .bind(merchant.uuid())
    .bind(rule.uuid())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The rule, if the merchant has it.
pub async fn get(
    conn: &mut PgConnection,
    merchant: MerchantId,
    rule: RoutingRuleId,
) -> Result<Option<RoutingRule>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::routing_rules::get
         select ",
        columns!(),
        "
           from routing_rules
          where merchant_id = $1 and routing_rule_id = $2",
    ))
    .bind(merchant.uuid())
    .bind(rule.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// As [`get`], and nobody else changes it until the transaction ends.
pub async fn get_for_update(
    conn: &mut PgConnection,
    merchant: MerchantId,
    rule: RoutingRuleId,
) -> Result<Option<RoutingRule>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::routing_rules::get_for_update
         select ",
        columns!(),
        "
           from routing_rules
          where merchant_id = $1 and routing_rule_id = $2 for update",
    ))
    .bind(merchant.uuid())
    .bind(rule.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The merchant's rules, newest first, made before `before`.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RoutingRule>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::routing_rules::list
         select ",
        columns!(),
        "
           from routing_rules
          where merchant_id = $1 and routing_rule_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by routing_rule_id desc
          limit $3",
    ))
    .bind(merchant.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The position behind all of the merchant's rules: 0 where it has none, at most [`POSITION_MAX`].
pub async fn next_position(conn: &mut PgConnection, merchant: MerchantId) -> Result<i32, Error> {
    let next = sqlx::query_scalar(
        "-- store::routing_rules::next_position
         select least(coalesce(max(position) + 1, 0), $2)
           from routing_rules
          where merchant_id = $1",
    )
    .bind(merchant.uuid())
    .bind(POSITION_MAX)
    .fetch_one(conn)
    .await?;
    Ok(next)
}
