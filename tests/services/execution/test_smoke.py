from tests.services.execution.rig import Rig, rigged


def test_a_buy_becomes_a_filled_order() -> None:
    async def story(rig: Rig) -> None:
        decision = await rig.decide("buy")
        outcome = await rig.ended(decision)
        print(outcome)
        print([ (i.state, i.revision) for i in await rig.all(__import__('shared.bus.topics',fromlist=['INTENT']).INTENT, 'BTC/USD')])
        assert outcome.outcome == "executed"
        assert len(rig.broker.requests) >= 1

    rigged(story)
