"""A minute of churn: what the server holds at the end is what it held at the beginning. bench/soak does the same for an hour."""
import soak

SECONDS = 60


def test_a_minute_of_churn(httpd, box):
    server = httpd(conf=soak.CONF, web_seed=False)
    churn = soak.Soak(server, box, SECONDS, pace=20)
    assert churn.run() == {}, churn.looks
    status = server.status()
    assert status["closed"]["shutdown"] == 0
    assert min(churn.counts.get(name, 0) for name, _ in soak.Soak.STEPS) > 0, churn.counts
