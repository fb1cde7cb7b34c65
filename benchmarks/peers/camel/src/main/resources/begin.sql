INSERT INTO floor_run(id, journey, version, status, step, data) VALUES (:#id, 'three_calls', 1, 'running', 0, :#data) ON CONFLICT DO NOTHING
