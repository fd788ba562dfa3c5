-- What waits for a person is counted by every /readyz.
CREATE INDEX refunds_stuck ON refunds (created_at) WHERE status = 'STUCK';
