"""Resources that the assets share."""

import dagster as dg

from churn_platform.orchestration.campaign_files import CampaignFiles
from churn_platform.orchestration.shop import Shop
from churn_platform.settings import environment


@dg.definitions
def defs() -> dg.Definitions:
    home = str(environment().shop_home())
    return dg.Definitions(resources={"shop": Shop(home_folder=home), "campaign_files": CampaignFiles(home_folder=home)})
