-- A consumer finds the instances they opened or acted in again: by person, newest first, as orders_of_user does for orders.
CREATE INDEX actions_of_user ON actions (user_id, created_at);
