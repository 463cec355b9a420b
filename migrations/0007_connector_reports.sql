-- What is known of a connector's version beyond what it says of itself. Global, as the table is; read when somebody asks.
alter table connector_versions
    add column report jsonb, -- what its admission found: what it can reach, its resources, findings; null: installed before reports were kept
    add column shadow jsonb; -- what came of replaying recorded operations on it; null: that was not asked for
