from dashboard.pages import Page
from dashboard.pages.system.bundle import blueprint

page = Page(title="System", path="/system", key="h", order=80, blueprint=blueprint)
