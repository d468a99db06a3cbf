import sys

from services.market_data.check import check
from services.market_data.service import serve
from services.market_data.settings import MarketDataSettings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main("market_data", MarketDataSettings, serve, check=check))
